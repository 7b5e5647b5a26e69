import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Library } from './dialect-pages.ts'

/** A page that no dialect of the package is for, and the dialect that its owner would write from its source. */
export interface UnknownPage extends Library {
  readonly json: string
}

const KIB = 1024

function page(name: string, json: string, more: Partial<Library> = {}): UnknownPage {
  return {
    name,
    dialect: name,
    json,
    scripts: [],
    chunkSize: 64 * KIB,
    sendsEmpty: false,
    retries: false,
    busy: 503,
    forces: false,
    remembers: false,
    survives: false,
    resumes: false,
    ...more,
  }
}

export const UNKNOWN_PAGES: readonly UnknownPage[] = [
  // An index, and a question before the first chunk: `toResumeFile` and `resumeSizeUrl` of ng-file-upload 12.2.13.
  page(
    'ng-file-upload',
    `{
  "name": "ng-file-upload",
  "path": "/upload/ng-file-upload",
  "fields": { "name": "part:filename", "type": "part:type", "size": "_totalSize" },
  "place": {
    "by": "index", "index": "_chunkNumber", "chunkSize": "_chunkSize", "length": "_currentChunkSize"
  },
  "test": { "method": "GET", "need": { "json": { "size": 0 } } }
}`,
    { scripts: ['angular/angular.js', 'ng-file-upload/dist/ng-file-upload.js'] },
  ),

  // Headers say which file and which bytes: the chunked uploads of Cloudinary.
  page(
    'unique-upload-id',
    `{
  "name": "unique-upload-id",
  "path": "/upload/unique-upload-id",
  "fields": { "task": "header:X-Unique-Upload-Id", "guessable": false, "name": "part:filename" },
  "place": { "by": "content-range" },
  "answer": { "stored": { "json": { "done": "$finished", "secure_url": "$url" } } }
}`,
    { retries: true },
  ),

  // The tutorial page of Chinese forums: the file precedes its fields, no field has a size, and a call merges.
  page(
    'verify-merge',
    `{
  "name": "verify-merge",
  "path": "/upload/verify-merge",
  "chunk": { "file": "first" },
  "fields": { "task": "fileHash", "name": "filename", "content": "fileHash" },
  "place": { "by": "index", "index": { "value": "hash", "afterLast": "-" }, "chunkSize": 65536 },
  "test": {
    "method": "POST", "path": "/verify",
    "list": { "as": "{task}-{chunk}", "answer": { "json": { "shouldUpload": true, "uploadedList": "$have" } } }
  },
  "finish": {
    "path": "/merge", "name": "filename",
    "done": { "json": { "code": 0, "message": "file merged success" } }
  },
  "answer": { "stored": { "json": { "code": 0 } } }
}`,
    { resumes: true },
  ),

  // Its variant whose chunks are named after their number and the file, and whose question names the hash alone.
  page(
    'chunk-name',
    `{
  "name": "chunk-name",
  "path": "/upload/chunk-name",
  "chunk": { "path": "/upload", "file": "first" },
  "fields": { "task": "fileHash", "name": { "value": "chunkName", "after": "-" }, "content": "fileHash" },
  "place": { "by": "index", "index": { "value": "chunkName", "before": "-" }, "chunkSize": 65536 },
  "test": {
    "method": "POST", "path": "/check", "of": "task",
    "list": { "answer": { "json": { "shouldUpload": true, "uploadedChunks": "$have" } } }
  },
  "finish": { "path": "/merge", "name": "fileName", "done": { "json": { "success": true, "fileUrl": "$url" } } }
}`,
    { resumes: true },
  ),

  // The service issues the id, and says how long chunks are: vue-upload-component 3.2.2.
  page(
    'upload-session',
    `{
  "name": "upload-session",
  "path": "/upload/upload-session",
  "create": {
    "when": { "phase": "start" }, "keep": { "name": "name", "size": "size", "type": "mime_type" },
    "done": { "json": { "status": "success", "data": { "session_id": "$task", "end_offset": 65536 } } }
  },
  "fields": { "task": "session_id", "name": "kept:name", "size": "kept:size", "type": "kept:type" },
  "place": { "by": "offset", "offset": "start_offset", "chunkSize": 65536 },
  "finish": { "when": { "phase": "finish" }, "done": { "json": { "status": "success", "url": "$url" } } },
  "answer": { "stored": { "json": { "status": "success" } } }
}`,
    { retries: true, survives: true },
  ),

  // A field behind the file is a JSON object: FileUploader of DevExtreme 24.2.
  page(
    'chunk-metadata',
    `{
  "name": "chunk-metadata",
  "path": "/upload/chunk-metadata",
  "chunk": { "file": "first" },
  "fields": {
    "task": { "value": "chunkMetadata", "member": "FileGuid" }, "guessable": false,
    "name": { "value": "chunkMetadata", "member": "FileName" },
    "type": { "value": "chunkMetadata", "member": "FileType" },
    "size": { "value": "chunkMetadata", "member": "FileSize" }
  },
  "place": {
    "by": "index", "index": { "value": "chunkMetadata", "member": "Index" },
    "count": { "value": "chunkMetadata", "member": "TotalCount" }
  }
}`,
  ),

  // No size until the call at the end, which says how many parts there are.
  page(
    'until-last',
    `{
  "name": "until-last",
  "path": "/upload/until-last",
  "chunk": { "method": "PUT", "path": "/:id", "body": "raw" },
  "fields": { "task": "path:id", "guessable": false, "name": "query:name" },
  "place": { "by": "index", "index": "header:X-Part", "base": 1, "chunkSize": 65536 },
  "finish": { "path": "/:id/end", "count": "parts" }
}`,
    { retries: true, survives: true },
  ),
]

/** Writes the dialects of these pages into a directory. @returns their files, for `DIALECTS`. */
export async function writeDialects(folder: string): Promise<readonly string[]> {
  return Promise.all(
    UNKNOWN_PAGES.map(async ({ name, json }) => {
      const file = path.join(folder, `${name}.json`)
      await writeFile(file, json)
      return file
    }),
  )
}
