/** A page with a library that no shipped dialect is for: `npm run test:dialects`. */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { type TemporaryFolder, temporaryFolder } from '../../support/folder.ts'
import { LIBRARIES, type Library } from '../support/dialect-pages.ts'
import { DialectStage, failures } from '../support/dialect-stage.ts'

jest.setTimeout(120_000)

/** From the source of ng-file-upload: `toResumeFile` and `resumeSizeUrl`. */
const NG_FILE_UPLOAD = `{
  "name": "ng-file-upload",
  "path": "/upload/ng-file-upload",
  "fields": { "name": "part:filename", "type": "part:type", "size": "_totalSize" },
  "place": {
    "by": "index", "index": "_chunkNumber", "chunkSize": "_chunkSize", "length": "_currentChunkSize"
  },
  "test": { "method": "GET", "need": { "json": { "size": 0 } } }
}`

let folder: TemporaryFolder
let stage: DialectStage
beforeAll(async () => {
  folder = await temporaryFolder()
  const file = path.join(folder.path, 'ng-file-upload.json')
  await writeFile(file, NG_FILE_UPLOAD)
  stage = await DialectStage.open({ DIALECTS: file })
})
afterAll(async () => {
  await stage.close()
  await folder.dispose()
})

describe('A page with ng-file-upload', () => {
  it('uploads with a dialect of its own, of less than 30 lines', async () => {
    expect(NG_FILE_UPLOAD.split('\n').length).toBeLessThan(30)
    const [usual] = LIBRARIES
    if (usual === undefined) throw new Error('no library')
    const name = 'ng-file-upload'
    const scripts = ['angular/angular.js', 'ng-file-upload/dist/ng-file-upload.js']
    const library: Library = { ...usual, name, dialect: name, scripts }
    const { chunkSize } = library
    const sent = [
      stage.fileOf('测试.zip', 3 * chunkSize + 30_000),
      stage.fileOf('文件.zip', 3 * chunkSize + 30_000),
      stage.fileOf('exact.zip', 2 * chunkSize),
      stage.fileOf('small.zip', 1000),
    ]
    const ended = await stage.withPage(library, (page) => stage.upload(page, library, sent))
    expect(failures(ended)).toEqual([])
    for (const file of sent) await stage.expectStored(file)
  })
})
