// One run of the TypeScript SDK 1.x, by an agent that lists once.
//
// Lists the tools, loads a component, calls its tool by way of `call-tool`, and prints
//
//     {"listed": [names], "load": structured content, "call": structured content}
//
// Usage:
//     client.mjs URI TOOL JSON TARGET...
//
// TARGET is a URL that ends in `/mcp` or `/sse`, or a command of a server over stdio.
// Run where `node_modules` has the SDK.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The packages are not beside this file.
const from = createRequire(process.cwd() + "/");
const sdk = (path) => import(pathToFileURL(from.resolve(`@modelcontextprotocol/sdk/${path}`)));
const { Client } = await sdk("client/index.js");
const { StdioClientTransport } = await sdk("client/stdio.js");
const { SSEClientTransport } = await sdk("client/sse.js");
const { StreamableHTTPClientTransport } = await sdk("client/streamableHttp.js");

const [uri, tool, json, command, ...args] = process.argv.slice(2);
const transport = !command.startsWith("http")
  ? new StdioClientTransport({ command, args, env: process.env, stderr: "inherit" })
  : command.endsWith("/sse")
    ? new SSEClientTransport(new URL(command))
    : new StreamableHTTPClientTransport(new URL(command));

const client = new Client({ name: "wassette-tests", version: "1" });
await client.connect(transport);
const { tools } = await client.listTools();
// The SDK checks every result by the output schema of the list that it has read.
const call = async (name, args) => {
  const result = await client.callTool({ name, arguments: args });
  if (result.isError) throw new Error(JSON.stringify(result.content));
  return result.structuredContent;
};
const load = await call("load-component", { uri });
const called = await call("call-tool", { name: tool, arguments: JSON.parse(json) });
console.log(JSON.stringify({ listed: tools.map((tool) => tool.name), load, call: called }));
await client.close();
