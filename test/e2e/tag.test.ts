/** The script for old pages, `landfall-webuploader.js`, in Chromium. */
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it, jest } from '@jest/globals'
import { limitUpload } from '../support/chrome.ts'
import { randomFile, type SampleFile } from '../support/sample-files.ts'
import { type Build, builds } from './support/blog-page.ts'
import { shareStage } from './support/shared-stage.ts'
import {
  answerNext,
  CHUNKS,
  choose,
  chunks,
  detailsOf,
  expectStored,
  leaveHalfway,
  PAGES,
  SLOW,
  startForeignServer,
  succeeded,
  twinOf,
  type Visitor,
  withVisitor,
} from './support/tag-stage.ts'

jest.setTimeout(60_000)

const [build, olderBuild] = builds()
if (build === undefined || olderBuild === undefined) throw new Error('WEBUPLOADER_BUILDS must have two builds.')
const stage = shareStage()
/** For `TAG=off`: each case must fail then. */
const isTagged = process.env['TAG'] !== 'off'

function visit(build: Build, work: (visitor: Visitor) => Promise<void>): Promise<void> {
  return withVisitor(stage.browser, stage.landfall.url, build, isTagged, work)
}

async function smallFile(): Promise<SampleFile> {
  const { place } = await stage.newFile()
  return randomFile(place, `small-${path.basename(place)}.bin`, 5000)
}

// test:e2e:old-pages drives all builds.
const driven = process.env['WEBUPLOADER_BUILDS'] === undefined ? [build] : [build, olderBuild]

describe.each(driven)('A page with the tag (%s)', (...each) => {
  it('resumes after a reload, and completes under its new task', async () => {
    const { file } = await stage.newFile()
    await visit(each, async (visitor) => {
      const stored = await leaveHalfway(await visitor.open(PAGES.article), file)
      const old = await visitor.open(PAGES.article)
      await choose(old, file)
      await succeeded(old)
      const sent = await old.sentChunks()
      expect(stored.length).toBe(5)
      expect(sent.filter((chunk) => stored.includes(chunk))).toEqual([])
      expect(await old.completed()).toMatchObject([{ status: 200, answer: { name: file.name } }])
      expect(old.errors).toEqual([])
    })
    await expectStored(stage, file)
  })

  it('sends all chunks over a pause while hooks run', async () => {
    const { file } = await stage.newFile()
    await visit(each, async (visitor) => {
      const old = await visitor.open(PAGES.hooks)
      await choose(old, file)
      await old.heard('stopUpload')
      await old.page.waitForFunction('waiting === 0')
      await old.page.evaluate('uploader.upload()')
      await succeeded(old)
      expect(old.errors).toEqual([])
    })
    await expectStored(stage, file)
  })

  it('survives an error of the server in a file of one block', async () => {
    const small = await smallFile()
    await visit(each, async (visitor) => {
      const old = await visitor.open(PAGES.threads)
      await answerNext(old)
      await choose(old, small)
      await succeeded(old)
    })
    await expectStored(stage, small)
  })

  it('continues by itself after the service was killed, and sends no stored chunk again', async () => {
    const { file } = await stage.newFile()
    await visit(each, async (visitor) => {
      const old = await visitor.open(PAGES.threads)
      await limitUpload(old.page, SLOW)
      await choose(old, file)
      await old.sentMoreThan(0.4)
      await stage.landfall.kill()
      await stage.landfall.startAgain()
      await succeeded(old)
      const stored = (await chunks(old)).filter(({ status }) => status === 200)
      expect(new Set(stored.map(({ fields }) => fields['chunk'])).size).toBe(CHUNKS)
      expect(stored.length).toBe(CHUNKS)
    })
    await expectStored(stage, file)
  })

  it('keeps the task of each file', async () => {
    const [{ file }, { file: other }] = [await stage.newFile(), await stage.newFile()]
    await visit(each, async (visitor) => {
      const old = await visitor.open(PAGES.tasks)
      await choose(old, file, other)
      await succeeded(old, 2)
      for (const { fields } of await chunks(old)) expect(fields['task_id']).toBe(`task-of-${fields['name']}`)
    })
    await expectStored(stage, file, other)
  })
})

describe('The tag', () => {
  it('has at most 10 kB, compressed', async () => {
    const response = await fetch(`${stage.landfall.url}/landfall-webuploader.js`)
    expect(response.headers.get('Content-Type')).toMatch(/javascript/)
    expect(gzipSync(await response.text()).length).toBeLessThan(10_000)
  })
})

describe('A page with the tag', () => {
  it('never mixes two files of one fingerprint', async () => {
    const { file } = await stage.newFile()
    const twin = await twinOf(file)
    await visit(build, async (visitor) => {
      await leaveHalfway(await visitor.open(PAGES.threads), file)
      const old = await visitor.open(PAGES.threads)
      await choose(old, twin)
      await succeeded(old)
      await choose(old, file)
      await succeeded(old, 2)
    })
    await expectStored(stage, file, twin)
  })

  it('sends the chunks that the page skips by a wrong list of its own', async () => {
    const { file } = await stage.newFile()
    await visit(olderBuild, async (visitor) => {
      const old = await visitor.open(PAGES.check)
      await old.page.evaluate('file_list_finish = [1, 2, 3, 4].map((chunk) => task_id + chunk)')
      await old.page.setInputFiles('#picker input', file.path)
      await succeeded(old)
    })
    await expectStored(stage, file)
  })

  it('learns when the file is there, and not before', async () => {
    const small = await smallFile()
    await visit(build, async (visitor) => {
      const old = await visitor.open(PAGES.threads)
      await choose(old, small)
      const details = await detailsOf(old, 'landfallStored')
      expect(details).toMatchObject({ ok: true, size: small.size, url: expect.stringContaining('/files/') })
      await succeeded(old)
      const types = await old.eventTypes()
      expect(types.indexOf('landfallStored')).toBeLessThan(types.indexOf('uploadSuccess'))
    })
  })

  it('sends a chunk again that a proxy has swallowed, before it reports success', async () => {
    const { file } = await stage.newFile()
    await visit(build, async (visitor) => {
      const old = await visitor.open(PAGES.threads)
      await answerNext(old, 200, '{"ok":true}')
      await choose(old, file)
      await succeeded(old)
    })
    await expectStored(stage, file)
  })

  it('learns why the service does not want a file, and does not send it again', async () => {
    const { file } = await stage.newFile()
    await visit(olderBuild, async (visitor) => {
      const old = await visitor.open(PAGES.article)
      await answerNext(old, 413, '{"ok":false,"error":{"code":"quota_exceeded","message":"Too large."}}')
      await choose(old, file)
      await old.heard('uploadError')
      expect(await detailsOf(old, 'landfallFailed')).toEqual({
        code: 'quota_exceeded',
        message: 'Too large.',
        status: 413,
      })
      expect(await old.sentChunks()).toEqual([0])
    })
  })

  it('sends nothing else to another server, after one GET', async () => {
    const { file } = await stage.newFile()
    const runs: { paths: string[]; fields: string[][] }[] = []
    for (const isTagged of [false, true]) {
      const server = await startForeignServer()
      try {
        await withVisitor(stage.browser, server.url, build, isTagged, async (visitor) => {
          const old = await visitor.open(PAGES.threads)
          await choose(old, file)
          await succeeded(old)
          expect(old.errors).toEqual([])
          const fields = (await chunks(old)).map((request) => Object.keys(request.fields))
          const paths = server.requests.map(({ method, url }) => `${method} ${url?.replace(/\?.*/, '')}`)
          runs.push({ paths: paths.filter((path) => /upload\/|check|files/.test(path)), fields })
        })
      } finally {
        await server.close()
      }
    }
    const [plain, tagged] = runs
    expect(tagged).toEqual({ ...plain, paths: ['GET /upload/accept', ...(plain?.paths ?? [])] })
  })
})
