// Tools for JSON documents. An exported function that throws returns the
// thrown value as the error of its WIT `result`. An `option` that is none
// arrives as `undefined` (StarlingMonkey) or `null` (QuickJS), hence `??`.

const PLAIN_NAME = /^[A-Za-z_$][\w$-]*/;

export const query = {
  select(document, path, limit) {
    let found = [{ path: "", value: parse(document) }];
    for (const step of steps(path, (misread) => fail("bad-path", misread))) {
      found = found.flatMap((place) => follow(place, step));
    }
    if (found.length === 0) fail("no-match");
    return found.slice(0, limit ?? 100).map(({ path, value }) => ({
      path,
      kind: kindOf(value),
      value: JSON.stringify(value),
    }));
  },

  outline(document, depth) {
    const places = new Map();
    survey("", parse(document), depth ?? 4, places);
    return [...places].map(([path, { kinds, size }]) => ({ path, kinds: [...kinds], size }));
  },

  compare(before, after) {
    const changes = [];
    differences("", parse(before), parse(after), changes);
    return changes;
  },

  parsePath(path) {
    return steps(path, (misread) => {
      throw misread;
    });
  },
};

export function format(document, indent) {
  try {
    return JSON.stringify(JSON.parse(document), null, indent ?? 2);
  } catch (error) {
    throw error.message;
  }
}

export function fromCsv(csv, separator) {
  const [header, ...rows] = csvRows(csv, separator ?? ",");
  if (!header) throw "the text is empty: a header line was expected";
  const objects = rows.map((row, i) => {
    if (row.length !== header.length) {
      throw `row ${i + 1} has ${row.length} fields, the header has ${header.length}`;
    }
    return Object.fromEntries(header.map((name, column) => [name, row[column]]));
  });
  return JSON.stringify(objects);
}

function fail(tag, val) {
  throw { tag, val };
}

function parse(document) {
  try {
    return JSON.parse(document);
  } catch (error) {
    return fail("not-json", error.message);
  }
}

/** The steps of a path; calls `misread` at the first character that fits nowhere. */
function steps(path, misread) {
  const result = [];
  let at = path.startsWith("$") ? 1 : 0;
  while (at < path.length) {
    const rest = path.slice(at);
    const bracket = rest.match(/^\[(?:(\*)|(-?\d+)|("(?:[^"\\]|\\.)*"))\]/);
    const name = (rest[0] === "." ? rest.slice(1) : at === 0 ? rest : "").match(PLAIN_NAME);
    if (bracket) {
      result.push(bracketStep(bracket));
      at += bracket[0].length;
    } else if (name) {
      result.push({ tag: "key", val: name[0] });
      at += name[0].length + (rest[0] === "." ? 1 : 0);
    } else {
      misread({ position: at, expected: "`.name`, `[number]`, `[*]` or `[\"name\"]`" });
    }
  }
  return result;
}

function bracketStep([, star, index, quoted]) {
  if (star) return { tag: "every" };
  if (index) return { tag: "index", val: Number(index) };
  return { tag: "key", val: JSON.parse(quoted) };
}

function follow({ path, value }, step) {
  if (step.tag === "every") return children(path, value);
  if (step.tag === "index") {
    if (!Array.isArray(value)) return [];
    const index = step.val < 0 ? value.length + step.val : step.val;
    return index in value ? [{ path: `${path}[${index}]`, value: value[index] }] : [];
  }
  const isMember = kindOf(value) === "object" && Object.hasOwn(value, step.val);
  return isMember ? [{ path: path + member(path, step.val), value: value[step.val] }] : [];
}

function children(path, value) {
  if (Array.isArray(value)) {
    return value.map((item, index) => ({ path: `${path}[${index}]`, value: item }));
  }
  if (kindOf(value) !== "object") return [];
  return Object.entries(value).map(([name, item]) => ({ path: path + member(path, name), value: item }));
}

function member(path, name) {
  const isPlain = name.match(PLAIN_NAME)?.[0] === name;
  if (!isPlain) return `[${JSON.stringify(name)}]`;
  return path === "" ? name : `.${name}`;
}

function survey(path, value, depth, places) {
  const place = places.get(path) ?? { kinds: new Set(), size: undefined };
  places.set(path, place);
  place.kinds.add(kindOf(value));
  const inside = children(path, value);
  if (value !== null && typeof value === "object") place.size = Math.max(place.size ?? 0, inside.length);
  if (depth === 0) return;
  for (const child of inside) {
    survey(Array.isArray(value) ? `${path}[*]` : child.path, child.value, depth - 1, places);
  }
}

function differences(path, before, after, changes) {
  const kind = kindOf(before);
  if (kind !== kindOf(after) || (kind !== "array" && kind !== "object")) {
    if (before !== after) {
      changes.push({ path, before: JSON.stringify(before), after: JSON.stringify(after) });
    }
    return;
  }
  const old = new Map(children(path, before).map((child) => [child.path, child.value]));
  for (const child of children(path, after)) {
    if (old.has(child.path)) differences(child.path, old.get(child.path), child.value, changes);
    else changes.push({ path: child.path, after: JSON.stringify(child.value) });
    old.delete(child.path);
  }
  for (const [removed, value] of old) changes.push({ path: removed, before: JSON.stringify(value) });
}

function kindOf(value) {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value === "string" ? "text" : typeof value;
}

/** Rows of CSV text; quotes as in RFC 4180. */
function csvRows(csv, separator) {
  const rows = [];
  let row = [];
  let field = "";
  let quoted = false;
  const text = csv.replace(/\r\n?/g, "\n").replace(/\n$/, "");
  for (let at = 0; at < text.length; at++) {
    const c = text[at];
    if (quoted && c === '"' && text[at + 1] === '"') field += text[++at];
    else if (c === '"') quoted = !quoted;
    else if (!quoted && (c === separator || c === "\n")) {
      row.push(field);
      field = "";
      if (c === "\n") rows.push(row.splice(0));
    } else field += c;
  }
  if (text !== "") rows.push([...row, field]);
  return rows;
}
