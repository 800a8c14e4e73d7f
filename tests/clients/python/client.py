"""One run of a client of the Python SDK against a Wassette server.

Connects, loads a component, waits for the notice that the tools changed, calls
a tool, unloads the component, and prints what it saw as one JSON object:

    {"protocol", "server", "before", "load", "changed", "after", "call", "unload", "last"}

Usage:
    client.py --transport stdio --load URI --call TOOL --args JSON -- COMMAND...
    client.py --transport sse|streamable-http --load URI --call TOOL --args JSON URL

`--mode legacy` connects by the `initialize` handshake (revisions before
2026-07-28), `--mode auto` asks for the newest revision first.
"""

import argparse
import asyncio
import json
from contextlib import asynccontextmanager

from mcp import Client, StdioServerParameters, types
from mcp.client.sse import sse_client
from mcp.client.subscriptions import ToolsListChanged

DEADLINE = 60.0  # seconds, for any one step


async def main() -> None:
    options = arguments()
    changed = asyncio.Event()

    async def on_message(message) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            changed.set()

    client = Client(
        target(options),
        mode=options.mode,
        message_handler=on_message,
        read_timeout_seconds=DEADLINE,
        # Every listing must come from the server.
        cache=None,
    )
    async with client:
        seen = {
            "protocol": client.protocol_version,
            "server": client.server_info and client.server_info.name,
            "before": await tool_names(client),
        }
        async with changes(client, changed):
            seen["load"] = await call(client, "load-component", {"uri": options.load})
            seen["changed"] = await arrives(changed)
        seen["after"] = await tool_names(client)
        seen["call"] = await call(client, options.call, json.loads(options.args))
        component = (seen["load"]["structured"] or {}).get("component_id")
        seen["unload"] = await call(client, "unload-component", {"id": component})
        seen["last"] = await tool_names(client)
    print(json.dumps(seen))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--transport", choices=["stdio", "sse", "streamable-http"], required=True)
    parser.add_argument("--mode", choices=["legacy", "auto"], default="auto")
    parser.add_argument("--load", required=True)
    parser.add_argument("--call", required=True)
    parser.add_argument("--args", default="{}")
    parser.add_argument("server", nargs="+", help="a URL, or for stdio a command")
    return parser.parse_args()


def target(options: argparse.Namespace):
    if options.transport == "stdio":
        command, *args = options.server
        return StdioServerParameters(command=command, args=args)
    (url,) = options.server
    return sse_client(url) if options.transport == "sse" else url


@asynccontextmanager
async def changes(client: Client, changed: asyncio.Event):
    """Sets the event when the tools change, by whatever means the revision has.

    Before 2026-07-28 the server notifies without being asked (the message
    handler sees it); since then a client subscribes.
    """
    if client.protocol_version < "2026-07-28":
        yield
        return

    async with client.listen(tools_list_changed=True) as subscription:

        async def watch() -> None:
            async for event in subscription:
                if isinstance(event, ToolsListChanged):
                    changed.set()

        watcher = asyncio.create_task(watch())
        try:
            yield
        finally:
            watcher.cancel()


async def arrives(event: asyncio.Event) -> bool:
    try:
        await asyncio.wait_for(event.wait(), DEADLINE)
        return True
    except TimeoutError:
        return False


async def tool_names(client: Client) -> list[str]:
    names, cursor = [], None
    while True:
        page = await client.list_tools(cursor=cursor)
        names += [tool.name for tool in page.tools]
        cursor = page.next_cursor
        if cursor is None:
            return names


async def call(client: Client, tool: str, args: dict) -> dict:
    result = await client.call_tool(tool, args)
    text = "".join(block.text for block in result.content if isinstance(block, types.TextContent))
    return {"is_error": bool(result.is_error), "structured": result.structured_content, "text": text}


asyncio.run(main())
