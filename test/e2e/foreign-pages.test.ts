/** What pages of another origin, and uploaded files, try against the service and its visitors, in Chromium. */
import { readdir } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser, Page } from 'playwright-core'
import { bytesOf } from '../support/bytes.ts'
import { launchChrome, openPicker, withPage } from '../support/chrome.ts'
import { land } from '../support/chunks.ts'
import { BUILT_PAGES, startService, type TestService } from '../support/service.ts'
import { createUpload, patch } from '../support/tus.ts'
import { cut, fileFields } from '../support/webuploader.ts'
import { until } from '../support/wire.ts'

jest.setTimeout(120_000)

let chrome: Browser
/** The site of the attacker: an empty page at every path. */
let site: Server
let sitePort: number
let service: TestService

beforeAll(async () => {
  chrome = await launchChrome()
  site = createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html')
    response.end('<!doctype html><title>elsewhere</title>')
  })
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
  const address = site.address()
  if (address === null || typeof address === 'string') throw new Error('not listening')
  sitePort = address.port
})
afterEach(() => service.close())
afterAll(async () => {
  await chrome.close()
  site.closeAllConnections()
  site.close()
})

/** The service at another of its host names. */
const at = (host: string): string => `http://${host}:${new URL(service.url).port}`
const attackerAt = (host: string): string => `http://${host}:${sitePort}`

/** Where the attacker's page and the service are. Browsers send Fetch Metadata only to loopback, and over TLS. */
const PLACES: readonly (readonly [situation: string, attacker: string, target: string])[] = [
  ['on another port', '127.0.0.1', '127.0.0.1'],
  ['on another host', 'localhost', '127.0.0.1'],
  ['on another host, without Fetch Metadata', 'evil.lan', 'up.lan'],
]

/** The fields of a file in WebUploader's requests. */
function fieldsOf(size: number): URLSearchParams {
  return new URLSearchParams(Object.entries(fileFields('a.bin', size)).map(([name, value]) => [name, String(value)]))
}

/** Runs an expression in a page, and returns its value. */
const run = (page: Page, expression: string): Promise<unknown> => page.evaluate(expression)

async function filesOnDisk(): Promise<readonly string[]> {
  const folders = ['files', 'incoming', 'records'].map((folder) => readdir(path.join(service.dataDir, folder)))
  return (await Promise.all(folders)).flat()
}

describe.each(PLACES)('A foreign page %s', (_, attacker, target) => {
  it('plants no file in the service from the browser of a visitor', async () => {
    service = await startService()
    const url = `${at(target)}/upload/accept`
    const query = fieldsOf(4)
    await withPage(chrome, async (page) => {
      await page.goto(attackerAt(attacker))
      const statuses: number[] = []
      page.on('response', (response) => response.url().startsWith(url) && statuses.push(response.status()))
      await run(
        page,
        `(async () => {
          const form = new FormData()
          for (const [name, value] of new URLSearchParams('${query}')) form.set(name, value)
          form.set('file', new File(['evil'], 'evil.txt'))
          const init = { method: 'POST', mode: 'no-cors', credentials: 'include' }
          await fetch('${url}', { ...init, body: form }).catch(() => {})
          await fetch('${url}?${query}', { ...init, body: 'evil' }).catch(() => {})
          navigator.sendBeacon('${url}?${query}', 'evil')
        })()`,
      )
      const submitted = page.waitForResponse(url)
      await page.setContent(`<form method="post" enctype="multipart/form-data" action="${url}">
        ${[...query].map(([name, value]) => `<input name="${name}" value="${value}">`).join('')}
        <input type="file" name="file"></form>`)
      const file = { name: 'evil.txt', mimeType: 'text/plain', buffer: Buffer.from('evil') }
      await page.setInputFiles('[type=file]', file)
      await run(page, 'document.forms[0].submit()').catch(() => undefined)
      expect((await submitted).status()).toBe(403)
      expect(new Set(statuses)).toEqual(new Set([403]))
    })
    expect(await filesOnDisk()).toEqual([])
  })

  it('cannot learn by elements whether a task exists', async () => {
    service = await startService()
    await land(service.url, cut(bytesOf(100), 1000, { task_id: 'wu_known' }), 0)
    await withPage(chrome, async (page) => {
      await page.goto(attackerAt(attacker))
      for (const [tag, attribute] of [
        ['object', 'data'],
        ['img', 'src'],
        ['script', 'src'],
        ['link', 'href'],
        ['video', 'src'],
      ] as const) {
        const eventFor = (task: string): Promise<unknown> =>
          run(
            page,
            `new Promise((resolve) => {
              const element = Object.assign(document.createElement('${tag}'), { rel: 'stylesheet' })
              for (const type of ['load', 'error', 'loadedmetadata']) element.addEventListener(type, () => resolve(type))
              element.${attribute} = '${at(target)}/upload/complete?task_id=${task}'
              document.body.append(element)
            })`,
          )
        expect([tag, await eventFor('wu_known')]).toEqual([tag, await eventFor('wu_unknown')])
      }
    })
  })

  it('cannot replace the cookie of a visitor by a form', async () => {
    service = await startService()
    await withPage(chrome, async (page) => {
      await page.goto(`${at(target)}/legacy`)
      const before = await page.context().cookies(at(target))
      expect(before).toMatchObject([{ name: 'landfall_visitor' }])
      await page.goto(attackerAt(attacker))
      await page.setContent(`<form method="post" action="${at(target)}/check"><input name="POST" value="TEST"></form>`)
      const answered = page.waitForResponse(`${at(target)}/check`)
      await run(page, 'document.forms[0].submit()').catch(() => undefined)
      expect((await answered).status()).toBe(403)
      expect(await page.context().cookies(at(target))).toEqual(before)
    })
  })
})

describe('A page on another port of the host', () => {
  it('plants a cookie in vain: over TLS, the visitor has another one', async () => {
    service = await startService({ PUBLIC_URL: 'https://127.0.0.1' }, BUILT_PAGES)
    const planted = 'a'.repeat(32)
    await withPage(chrome, async (page) => {
      await page.goto(attackerAt('127.0.0.1'))
      await run(page, `document.cookie = 'landfall_visitor=${planted}; path=/'`)
      await page.goto(`${service.url}/legacy`)
      const cookies = await page.context().cookies(service.url)
      expect(cookies).toContainEqual(expect.objectContaining({ name: '__Host-landfall_visitor', secure: true }))
      const send = (chunk: number): string => `(async () => {
        const form = new FormData()
        for (const [name, value] of new URLSearchParams('${fieldsOf(3000)}&chunks=3&chunk=${chunk}')) form.set(name, value)
        form.set('file', new File([new Uint8Array(1000)], 'secret.bin'))
        return (await fetch('upload/accept', { method: 'POST', body: form })).status
      })()`
      for (const chunk of [0, 1]) expect(await run(page, send(chunk))).toBe(200)
      const list = `fetch('check', { method: 'POST' }).then((response) => response.json())`
      // An upload is listed only at rest.
      await until(async () => JSON.stringify(await run(page, list)).includes('wu_'))
    })
    const headers = { Cookie: `landfall_visitor=${planted}` }
    const listed = await fetch(`${service.url}/check`, { method: 'POST', headers })
    expect(await listed.json()).toEqual({ file_list: [[]] })
  })
})

/** The URL of a finished upload, which declares any type. */
async function upload(content: string, filetype: string): Promise<string> {
  const bytes = Buffer.from(content)
  const url = await createUpload(service.url, bytes.length, { filetype, filename: 'a.js' })
  await patch(url, 0, Buffer.from(bytes))
  return new URL(url).pathname
}

/** Opens a page of the service's origin that has no policy: an old page, or one with an injection. */
async function openOldPage(page: Page, base: string): Promise<void> {
  await page.route(`${base}/old/*`, (route) => {
    const isScript = route.request().url().endsWith('.js')
    const worker =
      "onmessage = ({ data }) => { try { importScripts(data); postMessage('ran') } catch { postMessage('blocked') } }"
    return route.fulfill({
      contentType: isScript ? 'text/javascript' : 'text/html',
      body: isScript ? worker : '<!doctype html>',
    })
  })
  await page.goto(`${base}/old/page`)
}

/** What a page tries with a URL: each expression becomes `blocked` unless it succeeds. */
const USES: Readonly<Record<string, (url: string) => string>> = {
  'a script': (url) => `new Promise((resolve) => {
    const script = Object.assign(document.createElement('script'), { src: '${url}' })
    script.onload = () => resolve(window.ran ? 'ran' : 'loaded')
    script.onerror = () => resolve('blocked')
    document.head.append(script)
  })`,
  'a module': (url) => `import('${url}').then(() => 'ran', () => 'blocked')`,
  'a worker': (url) => `new Promise((resolve) => {
    const worker = new Worker('${url}')
    worker.onmessage = () => resolve('ran')
    worker.onerror = () => resolve('blocked')
  })`,
  'a script of a worker': (url) => `new Promise((resolve) => {
    const worker = new Worker('/old/worker.js')
    worker.onmessage = ({ data }) => resolve(data)
    worker.postMessage('${url}')
  })`,
}

describe.each(['127.0.0.1', 'up.lan'])('An uploaded script, on a page of the service at %s,', (host) => {
  it.each(Object.entries(USES))('does not run as %s', async (_, use) => {
    service = await startService()
    const url = await upload("globalThis.ran = 1; globalThis.postMessage?.('ran')", 'text/javascript')
    await withPage(chrome, async (page) => {
      await openOldPage(page, at(host))
      expect(await run(page, use(url))).toBe('blocked')
    })
  })

  it('does not apply as a style sheet', async () => {
    service = await startService()
    const url = await upload('body { color: rgb(1, 2, 3) }', 'text/css')
    await withPage(chrome, async (page) => {
      await openOldPage(page, at(host))
      const event = await run(
        page,
        `new Promise((resolve) => {
          const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href: '${url}' })
          link.onload = link.onerror = ({ type }) => resolve(type)
          document.head.append(link)
        })`,
      )
      expect(event).toBe('error')
      expect(await run(page, 'getComputedStyle(document.body).color')).toBe('rgb(0, 0, 0)')
    })
  })
})

describe('An uploaded script', () => {
  it.each(['text/javascript', 'application/x-javascript', 'text/plain'])(
    'cannot become a service worker, whatever its type is: %s',
    async (filetype) => {
      service = await startService()
      const url = await upload('onfetch = (e) => e.respondWith(new Response("owned"))', filetype)
      await withPage(chrome, async (page) => {
        await openOldPage(page, service.url)
        const registered = `navigator.serviceWorker.register('${url}').then(() => 'ran', () => 'blocked')`
        expect(await run(page, registered)).toBe('blocked')
        expect(await run(page, 'navigator.serviceWorker.getRegistrations().then((all) => all.length)')).toBe(0)
      })
    },
  )
})

describe('The pages of the service', () => {
  it.each(['/', '/legacy'])('ignore an injected <base>, inline style, script, and form: %s', async (address) => {
    service = await startService({}, BUILT_PAGES)
    await withPage(chrome, async (page) => {
      await page.goto(service.url + address)
      const seen: string[] = []
      page.on('request', (request) => seen.push(request.url()))
      const found = await run(
        page,
        `(() => {
          document.head.insertAdjacentHTML('afterbegin', '<base href="${attackerAt('localhost')}/">')
          const link = Object.assign(document.createElement('a'), { id: 'probe' })
          link.setAttribute('href', 'target')
          link.setAttribute('style', 'color: rgb(1, 2, 3)')
          document.body.append(link)
          const script = document.createElement('script')
          script.textContent = 'window.ran = 1'
          document.body.append(script)
          const form = Object.assign(document.createElement('form'), { action: '${attackerAt('localhost')}/' })
          document.body.append(form)
          form.submit()
          return [new URL(document.baseURI).origin, link.href, getComputedStyle(link).color, window.ran ?? 0]
        })()`,
      )
      expect(found).toEqual([service.url, `${service.url}/target`, expect.not.stringContaining('1, 2, 3'), 0])
      expect(seen.filter((url) => url.startsWith(attackerAt('localhost')))).toEqual([])
    })
  })

  it('upload by plain http, where browsers send no Fetch Metadata', async () => {
    service = await startService({}, BUILT_PAGES)
    const file = { name: 'small.bin', mimeType: '', buffer: bytesOf(1000) }
    await withPage(chrome, async (page) => {
      await page.goto(at('up.lan'))
      await page.setInputFiles('[data-testid=file-input]', file)
      await page.waitForSelector('[data-testid=row][data-state=finished]')
      await page.goto(`${at('up.lan')}/legacy`)
      await (await openPicker(page)).setFiles(file)
      await page.waitForSelector('.file-row[data-state=finished]')
    })
    expect((await readdir(path.join(service.dataDir, 'files'))).length).toBe(2)
  })
})
