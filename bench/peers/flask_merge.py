"""WebUploader's server as tutorials write it with Flask: chunks are saved one by one and merged when all are there."""

import logging
import os
import sys

from flask import Flask, request

port, folder = sys.argv[1:]
app = Flask(__name__)
logging.getLogger("werkzeug").setLevel(logging.ERROR)


@app.post("/upload/accept")
def accept():
    name = request.form["task_id"] + request.form.get("chunk", "0")
    request.files["file"].save(os.path.join(folder, name))
    return {"ok": True}


@app.get("/upload/complete")
def complete():
    task_id = request.args["task_id"]
    chunk = 0
    with open(os.path.join(folder, request.args["filename"]), "wb") as target:
        while True:
            name = os.path.join(folder, f"{task_id}{chunk}")
            try:
                with open(name, "rb") as source:
                    target.write(source.read())
            except FileNotFoundError:
                break
            os.remove(name)
            chunk += 1
    return {"ok": True}


app.run(host="127.0.0.1", port=int(port), threaded=True)
