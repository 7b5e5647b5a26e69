import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { Browser, Page } from 'playwright-core'
import type { Metadata } from '../../server/core/record.ts'
import { launchChrome } from '../support/chrome.ts'
import { Service } from '../support/one-file-service.ts'

let browser: Browser
let page: Page
const services: Service[] = []
const elsewhere: Server[] = []

beforeAll(async () => {
  browser = await launchChrome()
})

afterAll(() => browser.close())

afterEach(async () => {
  await page.context().close()
  for (const service of services.splice(0)) await service.stop()
  for (const server of elsewhere.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function newPage(): Promise<Page> {
  page = await (await browser.newContext()).newPage()
  return page
}

/** The URL of a finished file with this content. */
async function store(content: Buffer, metadata: Metadata): Promise<string> {
  const service = await Service.start(content, { metadata })
  services.push(service)
  return `http://127.0.0.1:${service.port}/files/an-id`
}

/** Opens a page with this body, on another site than the files. */
async function openElsewhere(body: string): Promise<void> {
  const server = createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html')
    response.end(`<!doctype html><title>elsewhere</title>${body}`)
  })
  elsewhere.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening')
  await (await newPage()).goto(`http://localhost:${address.port}/`)
}

/** The errors in the console while `url` is opened. */
async function complaintsAbout(url: string): Promise<string[]> {
  const complaints: string[] = []
  const shown = await newPage()
  shown.on('console', (message) => complaints.push(message.text()))
  await shown.goto(url)
  return complaints.filter((text) => !text.includes('404'))
}

/** Waits until something red is visible: the PDF viewer has no event for that. */
async function untilRed(shown: Page): Promise<void> {
  const canvas = await shown.context().newPage()
  for (let tries = 0; tries < 50; tries++) {
    const shot = (await shown.screenshot()).toString('base64')
    const red = await canvas.evaluate(`(async () => {
      const image = new Image()
      image.src = 'data:image/png;base64,${shot}'
      await image.decode()
      const context = new OffscreenCanvas(image.width, image.height).getContext('2d')
      context.drawImage(image, 0, 0)
      const { data } = context.getImageData(0, 0, image.width, image.height)
      for (let i = 0; i < data.length; i += 4) if (data[i] === 255 && data[i + 1] === 0 && data[i + 2] === 0) return true
      return false
    })()`)
    if (red) return
    await sleep(200)
  }
  throw new Error('nothing red appeared')
}

function fixture(name: string): Promise<Buffer> {
  return readFile(new URL(`fixtures/${name}`, import.meta.url))
}

/** A minute of silence: 8-bit samples, 8,000 per second. */
function silence(): Buffer {
  const samples = 60 * 8000
  const wav = Buffer.alloc(44 + samples, 128)
  wav.write('RIFF', 0)
  wav.writeUInt32LE(36 + samples, 4)
  wav.write('WAVEfmt ', 8)
  wav.writeUInt32LE(16, 16)
  wav.writeUInt16LE(1, 20)
  wav.writeUInt16LE(1, 22)
  wav.writeUInt32LE(8000, 24)
  wav.writeUInt32LE(8000, 28)
  wav.writeUInt16LE(1, 32)
  wav.writeUInt16LE(8, 34)
  wav.write('data', 36)
  wav.writeUInt32LE(samples, 40)
  return wav
}

describe('A page of another site', () => {
  it('shows an image, plays a video, and jumps to the middle of a sound', async () => {
    const image = await store(await fixture('red.png'), { filetype: 'image/png' })
    const video = await store(await fixture('moving.mp4'), { filetype: 'video/mp4' })
    const sound = await store(silence(), { filetype: 'audio/wav' })
    await openElsewhere(
      `<img src="${image}"><video src="${video}" preload="auto"></video><audio src="${sound}" preload="auto"></audio>`,
    )
    await page.waitForFunction(
      "document.images[0].naturalWidth === 40 && document.querySelector('video').readyState > 2",
    )
    await page.waitForFunction("document.querySelector('audio').readyState > 2")
    await page.evaluate("document.querySelector('audio').currentTime = 42")
    await page.waitForFunction(`(() => {
      const audio = document.querySelector('audio')
      return !audio.seeking && audio.readyState > 2 && audio.currentTime === 42
    })()`)
  })

  it('cannot read the bytes without permission', async () => {
    const url = await store(Buffer.from('secret'), { filetype: 'text/plain' })
    await openElsewhere('')
    expect(await page.evaluate(`fetch('${url}').then(() => 'read', () => 'refused')`)).toBe('refused')
  })
})

describe('A tab with ?inline=1', () => {
  it('shows an image', async () => {
    const url = await store(await fixture('red.png'), { filetype: 'image/png' })
    expect(await complaintsAbout(`${url}?inline=1`)).toEqual([])
    await page.waitForFunction('document.images[0].naturalWidth === 40')
  })

  it('plays a video', async () => {
    const url = await store(await fixture('moving.mp4'), { filetype: 'video/mp4' })
    expect(await complaintsAbout(`${url}?inline=1`)).toEqual([])
    await page.waitForFunction("document.querySelector('video').readyState > 2")
  })

  it('plays a sound', async () => {
    const url = await store(silence(), { filetype: 'audio/wav' })
    expect(await complaintsAbout(`${url}?inline=1`)).toEqual([])
    await page.waitForFunction("document.querySelector('video, audio').readyState > 2")
  })

  it('shows a PDF with a red square in its viewer', async () => {
    const url = await store(await fixture('page.pdf'), { filetype: 'application/pdf' })
    expect(await complaintsAbout(`${url}?inline=1`)).toEqual([])
    await untilRed(page)
  })

  it.each([
    ['text/html', '<script>document.title = 1</script>', '测试 文件.html'],
    ['image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg"><script>document.title = 1</script></svg>', '图.svg'],
  ])('saves %s under its name instead', async (filetype, content, filename) => {
    const url = await store(Buffer.from(content), { filetype, filename })
    const saving = (await newPage()).waitForEvent('download')
    await page.goto(`${url}?inline=1`).catch(() => undefined)
    const saved = await saving
    expect(saved.suggestedFilename()).toBe(filename)
    expect(await readFile(await saved.path(), 'utf8')).toBe(content)
  })
})
