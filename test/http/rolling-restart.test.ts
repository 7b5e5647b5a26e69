import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals'
import { Upload, type UploadOptions } from 'tus-js-client'
import { z } from 'zod'
import { bytesOf, MIB } from '../support/bytes.ts'
import { temporaryFolder } from '../support/folder.ts'
import { freePort } from '../support/free-port.ts'
import { type Program, startProgram } from '../support/program.ts'
import { Random } from '../support/random.ts'
import { type Cut, complete, cut, sendChunk } from '../support/webuploader.ts'
import { until } from '../support/wire.ts'

jest.setTimeout(120_000)

/** Retries for longer than the test runs while the service is starting. */
const RETRIES = Array.from({ length: 3_000 }, () => 50)
/** How long the service runs between two restarts. Milliseconds. */
const LIFE = 700

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let program: Program | undefined
/** Aborted at the end of the test, so no client continues. */
let over: AbortController
beforeEach(async () => {
  over = new AbortController()
  folder = await temporaryFolder()
})
afterEach(async () => {
  over.abort()
  await program?.end('SIGKILL')
  await folder.dispose()
})

/** The failures and the amount of work, read at the end. */
interface Account {
  readonly violations: string[]
  readonly sent: Map<string, Buffer>
  /** How often a client had to retry. */
  retries: number
}

/** Uploads by tus. A reported offset never decreases. */
function uploadByTus(base: string, name: string, content: Buffer, options: Partial<UploadOptions>, account: Account) {
  const offsets = new Map<string, number>()
  return new Promise<void>((resolve, reject) => {
    const upload = new Upload(content, {
      endpoint: `${base}/files`,
      retryDelays: RETRIES,
      metadata: { filename: name },
      onShouldRetry: () => {
        account.retries += 1
        return !over.signal.aborted
      },
      onAfterResponse: (request, response) => {
        const reported = response.getHeader('Upload-Offset')
        const url = request.getURL()
        if (reported === undefined || request.getMethod() === 'POST') return
        const known = offsets.get(url) ?? 0
        if (Number(reported) < known) account.violations.push(`${name}: offset ${reported} after ${known}`)
        offsets.set(url, Number(reported))
      },
      onSuccess: () => resolve(),
      onError: reject,
      ...options,
    })
    upload.start()
  }).then(() => {
    const begun = [...offsets.values()].filter((offset) => offset > 0).length
    if (begun > 1) account.violations.push(`${name}: begun ${begun} times with bytes that were acknowledged`)
  })
}

/**
 * Sends the missing chunks of a file as WebUploader does: three at a time, each tried three times.
 *
 * @returns whether all succeeded.
 */
async function sendMissing(base: string, file: Cut, acknowledged: Set<number>, account: Account): Promise<boolean> {
  const queue = [...Array(file.count).keys()].filter((chunk) => !acknowledged.has(chunk))
  let gaveUp = false
  const thread = async (): Promise<void> => {
    for (let chunk = queue.shift(); chunk !== undefined && !gaveUp; chunk = queue.shift()) {
      let tries = 0
      while (!(await accepts(base, file, chunk)) && !gaveUp) {
        account.retries += 1
        tries += 1
        if (tries === 3) gaveUp = true
      }
      if (!gaveUp) acknowledged.add(chunk)
    }
  }
  await Promise.all([thread(), thread(), thread()])
  return !gaveUp
}

async function accepts(base: string, file: Cut, chunk: number): Promise<boolean> {
  const response = await sendChunk(base, file.fields(chunk), file.bytes(chunk)).catch(() => undefined)
  await response?.arrayBuffer().catch(() => undefined)
  return response?.status === 200
}

const incomplete = z.object({ missing: z.array(z.number()) })

/** Uploads as a page whose visitor presses "retry" when it has given up. No acknowledged chunk is ever missing. */
async function uploadAsPage(base: string, name: string, content: Buffer<ArrayBuffer>, account: Account): Promise<void> {
  const file = cut(content, MIB / 2, { name, task_id: `wu_rolling_${name}` })
  const acknowledged = new Set<number>()
  while (!(await sendMissing(base, file, acknowledged, account))) {
    const missing = await missingOf(base, file)
    for (const chunk of missing.filter((chunk) => acknowledged.has(chunk))) {
      account.violations.push(`${name}: chunk ${chunk} is missing, which was acknowledged`)
    }
  }
  const missing = await missingOf(base, file)
  if (missing.length > 0) account.violations.push(`${name}: not complete with all its chunks`)
}

/** Retries until there is a response. */
async function missingOf(base: string, file: Cut): Promise<readonly number[]> {
  const { task_id: taskId, name } = file.fields(0)
  for (;;) {
    over.signal.throwIfAborted()
    const response = await complete(base, { task_id: String(taskId), filename: String(name) }).catch(() => undefined)
    if (response?.status === 200) return []
    const reported = incomplete.safeParse(await response?.json().catch(() => undefined))
    if (reported.success) return reported.data.missing
    if (response?.status === 404) return [...Array(file.count).keys()]
    await pause(50)
  }
}

async function landed(name: string): Promise<Buffer | undefined> {
  const files = path.join(folder.path, 'files')
  for (const id of await readdir(files)) {
    const [found = ''] = await readdir(path.join(files, id))
    if (found === name) return readFile(path.join(files, id, name))
  }
  return undefined
}

it.each([
  ['no time', ['0', '0', '0', '0']],
  ['one second', ['1', '1', '1', '1']],
  ['all the time that they need', ['60', '60', '60', '60']],
])('Clients resume by themselves while the program is restarted repeatedly; DRAIN gives them %s', async (_, drains) => {
  const port = String(await freePort())
  const begin = (DRAIN: string) => startProgram({ DATA_DIR: folder.path, PORT: port, DRAIN })
  program = await begin(drains[0] ?? '')
  const base = program.url
  const account: Account = { violations: [], sent: new Map(), retries: 0 }
  let isOver = false
  let count = 0
  /** One file after another, until the restarts are over. */
  const client = async (upload: (name: string, content: Buffer<ArrayBuffer>) => Promise<void>, seed: number) => {
    const random = new Random(seed)
    while (!isOver && !over.signal.aborted) {
      const name = `file-${count++}.bin`
      const content = bytesOf(random.size(1000, 8 * MIB), count % 256)
      account.sent.set(name, content)
      await upload(name, content)
    }
  }
  const byTus = (options: Partial<UploadOptions>) => (name: string, content: Buffer) =>
    uploadByTus(base, name, content, options, account)
  const clients = Promise.all([
    client(byTus({}), 1),
    client(byTus({ chunkSize: 1_000_000 }), 2),
    client(byTus({ uploadDataDuringCreation: true }), 3),
    client((name, content) => uploadAsPage(base, name, content, account), 5),
    client((name, content) => uploadAsPage(base, name, content, account), 5),
  ])
  for (const drain of drains) {
    const filesSoFar = account.sent.size
    await pause(LIFE)
    await until(async () => account.sent.size > filesSoFar)
    expect(await program.end('SIGTERM')).toBe(0)
    program = await begin(drain)
  }
  isOver = true
  await clients
  expect(account.violations).toEqual([])
  expect(account.retries).toBeGreaterThan(0)
  for (const [name, content] of account.sent) {
    expect([name, (await landed(name))?.equals(content)]).toEqual([name, true])
  }
})
