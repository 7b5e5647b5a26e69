import { mkdir, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser } from 'playwright-core'
import { MIB } from '../support/bytes.ts'
import { launchChrome } from '../support/chrome.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { randomFile, type SampleFile, storedFile, storedFiles } from '../support/sample-files.ts'
import { withOldPage } from './support/old-page.ts'

jest.setTimeout(120_000)

let browser: Browser
let landfall: Landfall
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let big: SampleFile
/** Of as many chunks, in smaller ones. */
let middle: SampleFile

beforeAll(async () => {
  folder = await temporaryFolder()
  big = await randomFile(folder.path, 'big.bin', 105 * MIB + 12_345)
  middle = await randomFile(folder.path, 'middle.bin', 21 * MIB + 12_345)
  browser = await launchChrome()
  landfall = await startLandfall()
})

afterAll(async () => {
  await browser.close()
  await landfall.dispose()
  await folder.dispose()
})

/** Numbers from 0 up to `end`. */
const upTo = (end: number): number[] => [...Array(end).keys()]

describe('A file', () => {
  it.each([
    ['of more than 100 MiB, in 20 MiB chunks', () => big, 'old.html?threads=1', 6],
    ['three chunks at a time', () => middle, `old.html?threads=3&chunkSize=${MIB}`, 22],
    [
      'with the build without images',
      () => middle,
      `old.html?threads=3&chunkSize=${MIB}&dist=webuploader.withoutimage.js`,
      22,
    ],
    ['with raw bodies', () => middle, `old.html?threads=3&chunkSize=${MIB}&sendAsBinary=1`, 22],
    ['completed by extension and type', () => middle, `old.html?complete=ext&chunkSize=${4 * MIB}`, 6],
    ['completed by POST', () => middle, `old.html?complete=post&chunkSize=${4 * MIB}`, 6],
  ])('arrives (%s)', async (_, chosen, address, chunks) => {
    const file = chosen()
    await withOldPage(browser, landfall.url, address, async (old) => {
      await old.choose(file.path)
      const [completed] = await old.completed()
      expect(completed).toMatchObject({ status: 200, answer: { ok: true, name: file.name, size: file.size } })
      expect((await old.sentChunks()).sort((a, b) => a - b)).toEqual(upTo(chunks))
      const stored = await storedFile(landfall.dataDir, (await old.landed()).id)
      expect(stored).toMatchObject({ name: file.name, size: file.size, sha256: file.sha256 })
      expect(old.errors).toEqual([])
    })
  })
})

describe('The page of the article, word for word,', () => {
  it('uploads a file: /check responds before the file is chosen, and no chunk is skipped', async () => {
    await withOldPage(browser, landfall.url, 'seed.html', async (old) => {
      expect(await old.chooseAfterCheck(big.path)).toBe('{"file_list":[[]]}')
      const [completed] = await old.completed()
      expect(completed?.status).toBe(200)
      expect(await old.sentChunks()).toEqual(upTo(6))
      expect((await storedFile(landfall.dataDir, (await old.landed()).id)).sha256).toBe(big.sha256)
      expect(await old.page.textContent('.item')).toBe('上传完成')
      expect(old.errors).toEqual([])
    })
  })
})

describe('A JPEG that the page recompresses', () => {
  it('arrives as the page made it, with the announced size', async () => {
    const photo = path.join(folder.path, 'photo.jpg')
    await withOldPage(browser, landfall.url, `old.html?threads=3&chunkSize=${256 * 1024}`, async (old) => {
      await writeFile(photo, Buffer.from(await old.page.evaluate<string>(NOISY_JPEG), 'base64'))
      await old.choose(photo)
      const [completed] = await old.completed()
      const sizes = new Set((await old.requests('/upload/accept')).map(({ fields }) => Number(fields['size'])))
      const [announced] = sizes
      expect(sizes.size).toBe(1)
      expect(announced).not.toBe((await stat(photo)).size)
      expect((await old.sentChunks()).length).toBeGreaterThan(1)
      expect(completed).toMatchObject({ status: 200, answer: { name: 'photo.jpg', size: announced } })
      const stored = await storedFile(landfall.dataDir, (await old.landed()).id)
      expect(stored.size).toBe(announced)
      const width = await old.page.evaluate<number>(widthOf(`${(await old.landed()).url}?inline=1`))
      expect(width).toBe(1600)
    })
  })
})

/** In the browser: a JPEG, in base64, that hardly compresses. */
const NOISY_JPEG = `(() => {
  const canvas = document.createElement('canvas')
  canvas.width = 3000
  canvas.height = 2000
  const context = canvas.getContext('2d')
  const image = context.createImageData(canvas.width, canvas.height)
  for (let i = 0; i < image.data.length; i++) image.data[i] = i % 4 === 3 ? 255 : Math.random() * 256
  context.putImageData(image, 0, 0)
  return canvas.toDataURL('image/jpeg', 0.95).split(',')[1]
})()`

/** In the browser: loads an image, which fails unless it can be decoded. */
const widthOf = (url: string): string => `(async () => {
  const image = new Image()
  image.src = ${JSON.stringify(url)}
  await image.decode()
  return image.naturalWidth
})()`

describe('A page with several files', () => {
  it('keeps a name with a space in Chinese', async () => {
    const file = await randomFile(folder.path, '测试 文件.txt', 3 * MIB + 1)
    await withOldPage(browser, landfall.url, `old.html?chunkSize=${MIB}`, async (old) => {
      await old.choose(file.path)
      const [completed] = await old.completed()
      expect(completed).toMatchObject({ status: 200, answer: { name: '测试 文件.txt', size: file.size } })
      const stored = await storedFile(landfall.dataDir, (await old.landed()).id)
      expect(stored).toMatchObject({ name: '测试 文件.txt', sha256: file.sha256 })
    })
  })

  it('completes a small file and a chunked one, sent together, each as itself', async () => {
    const small = await randomFile(folder.path, 'small.bin', 1234)
    const large = await randomFile(folder.path, 'large.bin', 7 * MIB + 7)
    await withOldPage(browser, landfall.url, `old.html?threads=3&chunkSize=${MIB}`, async (old) => {
      await old.introduce()
      await old.choose(large.path, small.path)
      const completed = await old.completed(2)
      expect(new Set((await old.requests('/upload/accept')).map(({ fields }) => fields['task_id'])).size).toBe(1)
      for (const file of [small, large]) {
        const answer = completed.find(({ fields }) => fields['filename'] === file.name)?.answer
        expect(answer).toMatchObject({ ok: true, name: file.name, size: file.size })
        expect((await storedFile(landfall.dataDir, answer?.id ?? '')).sha256).toBe(file.sha256)
      }
    })
  })

  it('completes two files of one name, chosen one after the other, each as itself', async () => {
    const [first, second] = await twoOfOneName()
    await withOldPage(browser, landfall.url, `old.html?threads=3&chunkSize=${MIB}`, async (old) => {
      await old.introduce()
      await old.choose(first.path)
      await old.completed(1)
      await old.choose(second.path)
      const answers = (await old.completed(2)).map(({ answer }) => answer)
      const stored = await Promise.all(answers.map(({ id = '' }) => storedFile(landfall.dataDir, id)))
      expect(stored.map(({ sha256 }) => sha256)).toEqual([first.sha256, second.sha256])
    })
  })

  it('keeps two files of one name apart that it uploads concurrently', async () => {
    const files = await twoOfOneName()
    await withOldPage(browser, landfall.url, `old.html?threads=3&chunkSize=${MIB}`, async (old) => {
      await old.introduce()
      await old.choose(...files.map((file) => file.path))
      const completed = await old.completed(2)
      const hashes = files.map(({ sha256 }) => sha256)
      for (const { status, answer } of completed) {
        expect(status).toBe(200)
        expect(hashes).toContain((await storedFile(landfall.dataDir, answer.id ?? '')).sha256)
      }
      const group = completed[0]?.answer.id?.split('.')[0] ?? ''
      const ofTask = await storedFiles(landfall.dataDir, `${group}.`)
      expect(ofTask.map(({ sha256 }) => sha256).sort()).toEqual([...hashes].sort())
    })
  })

  async function twoOfOneName(): Promise<readonly [SampleFile, SampleFile]> {
    await mkdir(path.join(folder.path, 'a'), { recursive: true })
    return [
      await randomFile(folder.path, 'a/same.bin', 3 * MIB + 5),
      await randomFile(folder.path, 'b/same.bin', 3 * MIB + 5),
    ]
  }
})

describe('Blocks that WebUploader 0.1.6 loses in a pause', () => {
  it.each(['webuploader.js', 'webuploader.withoutimage.js'])(
    'are named by complete, and sent on the next try (%s)',
    async (dist) => {
      const file = await randomFile(folder.path, 'paused.bin', 9 * MIB + 9)
      const address = `old.html?dist=${dist}&threads=3&chunkSize=${MIB}&hookDelay=300&stopAt=5`
      await withOldPage(browser, landfall.url, address, async (old) => {
        await old.choose(file.path)
        await old.heard('stopUpload')
        // The hooks of the waiting blocks answer while the page is paused: the library drops those blocks.
        await old.page.waitForFunction('waiting === 0')
        await old.page.evaluate('uploader.upload()')
        await old.heard('uploadSuccess')
        const [refused] = await old.completed(1)
        const sent = new Set(await old.sentChunks())
        const lost = upTo(10).filter((chunk) => !sent.has(chunk))
        expect(lost).toContain(5)
        expect(refused).toMatchObject({
          status: 409,
          answer: { ok: false, error: { code: 'incomplete' }, missing: lost, missing_total: lost.length },
        })

        await old.page.evaluate('uploader.retry(uploader.getFiles()[0])')
        const [, completed] = await old.completed(2)
        expect(completed?.status).toBe(200)
        expect((await storedFile(landfall.dataDir, (await old.landed()).id)).sha256).toBe(file.sha256)
      })
    },
  )
})
