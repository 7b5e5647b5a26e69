"""python3 tus.py <job>: uploads a file with tuspy; resumes what an earlier process with the same store began."""

import json
import sys

from tusclient.client import TusClient
from tusclient.storage import filestorage

job = json.loads(sys.argv[1])
uploader = TusClient(job["endpoint"]).uploader(
    job["file"],
    metadata={"filename": job["name"], "filetype": "text/x-test"},
    store_url=True,
    url_storage=filestorage.FileStorage(job["store"] + "/urls.json"),
    retries=60,
    retry_delay=0.02,
    **job["options"],
)
uploader.upload()
print(uploader.url)
