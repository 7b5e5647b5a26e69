"""python3 forms.py <client> <job>: sends forms with one of Python's HTTP clients. Prints each answer as a line of JSON."""

import asyncio
import json
import sys

import aiohttp
import httpx
import requests

TYPE = "application/octet-stream"


class Unseekable:
    """A file of unknown length."""

    def __init__(self, path):
        self.file = open(path, "rb")

    def read(self, size=-1):
        return self.file.read(size)

    def __iter__(self):
        return iter(lambda: self.file.read(65536), b"")


def parts_of(form):
    file = ("file", None)
    return [file, *form["fields"]] if form.get("fieldsAfter") else [*form["fields"], file]


def with_requests(url, form):
    # Fields of data= precede those of files=, so fields that follow the file must be in files=.
    opened = (form["name"], open(form["file"], "rb"), TYPE)
    files = [(name, opened if value is None else (None, value)) for name, value in parts_of(form)]
    if not form.get("fieldsAfter"):
        answer = requests.post(url, data=dict(form["fields"]), files={"file": opened})
    else:
        answer = requests.post(url, files=files)
    return answer.status_code, answer.text


def with_httpx(url, form):
    file = Unseekable(form["file"]) if form.get("streamed") else open(form["file"], "rb")
    opened = (form["name"], file, TYPE)
    files = [(name, opened if value is None else (None, value)) for name, value in parts_of(form)]
    answer = httpx.post(url, files=files, timeout=60)
    return answer.status_code, answer.text


def with_aiohttp(url, form):
    async def post():
        data = aiohttp.FormData()
        for name, value in parts_of(form):
            if value is None:
                data.add_field(name, open(form["file"], "rb"), filename=form["name"], content_type=TYPE)
            else:
                data.add_field(name, value)
        async with aiohttp.ClientSession() as session, session.post(url, data=data) as answer:
            return answer.status, await answer.text()

    return asyncio.run(post())


CLIENTS = {"requests": with_requests, "httpx": with_httpx, "aiohttp": with_aiohttp}
job = json.loads(sys.argv[2])
for form in job["forms"]:
    status, body = CLIENTS[sys.argv[1]](job["url"], form)
    print(json.dumps({"status": status, "body": body}), flush=True)
