/** Pages of other upload libraries whose files are refused: none may take that for success. `npm run test:dialects` */
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { type HookReceiver, startReceiver } from '../../hooks/receiver.ts'
import { type TemporaryFolder, temporaryFolder } from '../../support/folder.ts'
import { LIBRARIES, type SentFile } from '../support/dialect-pages.ts'
import { DialectStage, failures } from '../support/dialect-stage.ts'
import { type LoginService, startLoginService } from '../support/identities.ts'
import { UNKNOWN_PAGES, writeDialects } from '../support/unknown-pages.ts'

jest.setTimeout(120_000)

const REFUSAL = { RejectUpload: true, HTTPResponse: { StatusCode: 403, Body: 'not for us' } }
/** Bytes that a user may store. While the size of a file is unknown, more than 1 MiB is reserved for it. */
const QUOTA = 3 * 1024 * 1024

const ALL = [...LIBRARIES, ...UNKNOWN_PAGES]

let folder: TemporaryFolder
let login: LoginService
let receiver: HookReceiver
let stage: DialectStage
beforeAll(async () => {
  ;[folder, login, receiver] = await Promise.all([temporaryFolder(), startLoginService(), startReceiver()])
  const dialects = [...new Set(LIBRARIES.map(({ dialect }) => dialect)), ...(await writeDialects(folder.path))]
  stage = await DialectStage.open({
    DIALECTS: dialects.join(','),
    AUTH: 'forward',
    AUTH_URL: login.url,
    QUOTA_BYTES: String(QUOTA),
    HOOKS_URL: receiver.url,
    HOOKS_EVENTS: 'pre-create,pre-finish',
  })
})
afterEach(() => {
  stage.gate.reset()
  for (const type of Object.keys(receiver.answers)) delete receiver.answers[type]
})
afterAll(async () => {
  await stage.close()
  await Promise.all([login.close(), receiver.close(), folder.dispose()])
})

describe.each(ALL.map((library) => [library.name, library] as const))('A page with %s', (name, library) => {
  const user = name.replaceAll('-', '')
  const big = (word: string): SentFile => stage.fileOf(`${name}-${word}.zip`, 3 * library.chunkSize + 30_000)

  const expectFailure = async (file: SentFile, cookie?: string): Promise<void> => {
    const ended = await stage.withPage(library, (page) => stage.upload(page, library, [file]), cookie)
    expect(ended.map(({ name: ofFile, ok }) => [ofFile, ok])).toEqual([[file.name, false]])
    expect(await stage.storedAs(file.name)).toEqual([])
  }

  it('uploads for a user, and fails without one', async () => {
    const file = big('owned')
    const ended = await stage.withPage(library, (page) => stage.upload(page, library, [file]), `${user}1`)
    expect(failures(ended)).toEqual([])
    await stage.expectStored(file)
    await expectFailure(big('unowned'))
    await expectFailure(big('expired'), 'expired')
  })

  it('keeps the files of two users apart that have one name and one size', async () => {
    const files = [big('same'), big('same')]
    const ended = await Promise.all(
      files.map((file, index) =>
        stage.withPage(library, (page) => stage.upload(page, library, [file]), `${user}both${index}`),
      ),
    )
    expect(failures(ended.flat())).toEqual([])
    for (const file of files) await stage.expectStored(file)
    const uploaded = await Promise.all(
      ended.flat().map(async ({ body }, index) => {
        const url = /\/files\/[\w.-]+/.exec(body)?.[0]
        if (url === undefined) return []
        const as = (name: string) => fetch(`${stage.gate.url}${url}`, { headers: { Cookie: `login=${name}` } })
        return Promise.all(
          [`${user}both${index}`, `${user}both${1 - index}`].map(async (name) => (await as(name)).status),
        )
      }),
    )
    for (const statuses of uploaded) expect([[], [200, 404]]).toContainEqual(statuses)
  })

  it('fails beyond the quota of the user', async () => {
    await expectFailure(stage.fileOf(`${name}-quota.zip`, QUOTA + 1), `${user}2`)
  })

  it.each(['pre-create', 'pre-finish'])('fails if a hook refuses the file: %s', async (type) => {
    receiver.answers[type] = REFUSAL
    await expectFailure(big(type), `${user}3`)
  })
})

describe('A page with filepond', () => {
  it('continues at the beginning of a chunk when the user starts again', async () => {
    const library = LIBRARIES.find(({ name }) => name === 'filepond')
    if (library === undefined) throw new Error('no library')
    const file = stage.fileOf('pond.zip', 6 * library.chunkSize + 30_000)
    const ended = await stage.withPage(
      library,
      async (page) => {
        const stored = new Promise<void>((resolve) => {
          // The POST is the first one.
          stage.gate.decide = (count) => (count > 3 ? 'stall' : 'pass')
          stage.gate.onAnswer = (count) => count === 3 && resolve()
        })
        const uploaded = stage.upload(page, library, [file])
        await stored
        await page.evaluate('pond.getFile().abortProcessing()')
        stage.gate.reset()
        await page.evaluate('pond.processFile()')
        return uploaded
      },
      'pond',
    )
    expect(failures(ended)).toEqual([])
    await stage.expectStored(file)
  })
})
