"""Uploads a file with tuspy: endpoint, path, options as JSON. Prints the URL."""

import json
import sys

from tusclient.client import TusClient

endpoint, path, options = sys.argv[1:]
uploader = TusClient(endpoint).uploader(path, retries=60, retry_delay=0.02, **json.loads(options))
uploader.upload()
print(uploader.url)
