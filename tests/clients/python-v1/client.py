"""One run of a client stack over the Python SDK 1.x, by an agent that lists once.

Lists the tools, loads a component, calls its tool by way of `call-tool`, and prints

    {"listed": [names], "load": structured content, "call": structured content}

Usage:
    client.py sdk|fastmcp|langchain --load URI --call TOOL --args JSON TARGET...

TARGET is a URL that ends in `/mcp` or `/sse`, or a command of a server over stdio.
"""

import argparse
import asyncio
import json
from contextlib import asynccontextmanager

import fastmcp
from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport
from langchain_mcp_adapters.client import MultiServerMCPClient
from mcp import ClientSession, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client


class Sdk:
    @asynccontextmanager
    async def connect(self, target):
        command, *args = target
        if not command.startswith("http"):
            streams = stdio_client(StdioServerParameters(command=command, args=args))
        elif command.endswith("/sse"):
            streams = sse_client(command)
        else:
            streams = streamablehttp_client(command)
        async with streams as (read, write, *_), ClientSession(read, write) as session:
            await session.initialize()
            self.session = session
            yield

    async def names(self):
        return [tool.name for tool in (await self.session.list_tools()).tools]

    async def call(self, tool, arguments):
        # Checks the result by the schema of the list it has read.
        return (await self.session.call_tool(tool, arguments)).structuredContent


class FastMcp:
    @asynccontextmanager
    async def connect(self, target):
        command, *args = target
        if not command.startswith("http"):
            transport = StdioTransport(command, args)
        elif command.endswith("/sse"):
            transport = SSETransport(command)
        else:
            transport = StreamableHttpTransport(command)
        async with fastmcp.Client(transport) as client:
            self.client = client
            yield

    async def names(self):
        return [tool.name for tool in await self.client.list_tools()]

    async def call(self, tool, arguments):
        return (await self.client.call_tool(tool, arguments)).structured_content


class LangChain:
    @asynccontextmanager
    async def connect(self, target):
        command, *args = target
        if not command.startswith("http"):
            connection = {"transport": "stdio", "command": command, "args": args}
        elif command.endswith("/sse"):
            connection = {"transport": "sse", "url": command}
        else:
            connection = {"transport": "streamable_http", "url": command}
        # A session of its own for every call, as the adapter has it by default.
        client = MultiServerMCPClient({"wassette": connection})
        self.tools = {tool.name: tool for tool in await client.get_tools()}
        yield

    async def names(self):
        return list(self.tools)

    async def call(self, tool, arguments):
        call = {"type": "tool_call", "id": "1", "name": tool, "args": arguments}
        message = await self.tools[tool].ainvoke(call)
        return message.artifact["structured_content"]


async def main() -> None:
    parser = argparse.ArgumentParser()
    stacks = {"sdk": Sdk, "fastmcp": FastMcp, "langchain": LangChain}
    parser.add_argument("stack", choices=stacks)
    parser.add_argument("--load", required=True)
    parser.add_argument("--call", required=True)
    parser.add_argument("--args", default="{}")
    parser.add_argument("target", nargs="+")
    options = parser.parse_args()
    stack = stacks[options.stack]()
    async with stack.connect(options.target):
        wanted = {"name": options.call, "arguments": json.loads(options.args)}
        seen = {
            "listed": await stack.names(),
            "load": await stack.call("load-component", {"uri": options.load}),
            "call": await stack.call("call-tool", wanted),
        }
    print(json.dumps(seen))


asyncio.run(main())
