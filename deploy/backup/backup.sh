#!/bin/sh
# Copies the data directory of a running service: backup.sh DATA_DIR COPY
# COPY is new, or that of an earlier backup, which becomes that of now. docs/backup.md says what the copy has.
set -eu
from=${1%/}
to=${2%/}
[ -d "$from/records" ] || { echo "$from is no data directory." >&2; exit 1; }
mkdir -p -m 0700 "$to"
# A file of an interrupted backup must not count.
rm -f "$to/complete"

copy() {
  # No sockets: they belong to the running process. A file that vanishes has been finished or removed: 24.
  rsync -aH --no-specials --no-devices "$@" || [ $? -eq 24 ]
}

# What says which bytes count comes before the bytes, so no copied record or journal claims bytes that are missing.
copy --delete --exclude=/incoming --exclude=/files "$from/" "$to/"
copy --delete "$from/incoming" "$to/"
copy --delete "$from/files" "$to/"
# Uploads that began and ended meanwhile. A record that was copied stays: a later one may claim more bytes.
copy --ignore-existing "$from/records" "$to/"

# Those that were finished meanwhile are in both directories now: the finished file counts.
list=$(mktemp)
trap 'rm -f "$list"' EXIT
find "$to/files" -type f | sed 's|/[^/]*$||; s|.*/||' | sort -u > "$list"
ls "$to/incoming" | sort | comm -12 - "$list" | while read -r id; do
  rm -f "$to/incoming/$id" "$to/journals/$id"
done
date -u +%Y-%m-%dT%H:%M:%SZ > "$to/complete"
