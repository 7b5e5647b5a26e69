import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf, MIB } from '../support/bytes.ts'
import { answerOf, expectRefusal, expectRefusalText } from '../support/chunks.ts'
import { freePort } from '../support/free-port.ts'
import { startService, type TestService } from '../support/service.ts'
import { bearer, inSeconds, JWT_SECRET, tokenFor } from '../support/tokens.ts'
import { CLOSING, cut, fieldPart, MULTIPART, multipartBody, post } from '../support/webuploader.ts'
import { connect, requestHead } from '../support/wire.ts'

const SETTINGS = { AUTH: 'jwt', JWT_SECRET, AUTH_FIELD: 'token' }
const content = bytesOf(250)

let service: TestService
let tasks = 0
let task: string
let alice: string
let expired: string
beforeAll(async () => {
  service = await startService(SETTINGS)
  alice = await tokenFor('alice')
  expired = await tokenFor('alice', { exp: inSeconds(-60) })
})
afterAll(() => service.close())
beforeEach(() => {
  tasks += 1
  task = `wu_task_of_tokens_${tasks}`
})

interface Sent {
  /** Values of the field before the file, and after it. */
  readonly before?: readonly string[]
  readonly after?: readonly string[]
  readonly query?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Sends a chunk of the file of the task. */
function send(chunk: number, { before = [], after = [], query = '', headers = {} }: Sent): Promise<Response> {
  const file = cut(content, 100, { task_id: task })
  const whole = multipartBody(file.fields(chunk), file.bytes(chunk)).subarray(0, -CLOSING.length)
  const tokens = (values: readonly string[]): string => values.map((value) => fieldPart('token', value)).join('')
  return fetch(`${service.url}/upload/accept${query}`, {
    method: 'POST',
    headers: { 'Content-Type': MULTIPART, ...headers },
    body: Buffer.concat([Buffer.from(tokens(before)), whole, Buffer.from(tokens(after) + CLOSING)]),
  })
}

const answered = async (response: Response) => ({ status: response.status, ...(await answerOf(response)) })

describe('A chunk', () => {
  it.each<[string, () => Sent]>([
    ['in a field', () => ({ before: [alice] })],
    ['in a field, twice', () => ({ before: [alice, alice] })],
    ['in a field, after an empty one', () => ({ before: ['', alice] })],
    ['in the query', () => ({ query: `?token=${alice}` })],
    ['in the query and in a field', () => ({ query: `?token=${alice}`, before: [alice] })],
    ['in Authorization', () => ({ headers: bearer(alice) })],
    ['in Authorization and in a field', () => ({ headers: bearer(alice), before: [alice] })],
    ['in a field, and again after the file', () => ({ before: [alice], after: [alice] })],
  ])('is accepted with a token %s, and belongs to its owner', async (_, sent) => {
    const { id } = await answered(await send(0, sent()))
    expect(id).toBeDefined()
    expect(await answered(await send(1, { before: [alice] }))).toMatchObject({ status: 200, id, received: 200 })
  })

  it.each<[string, number, string, () => Promise<Sent>]>([
    ['without a token', 401, 'unauthenticated', async () => ({})],
    ['with an expired token', 401, 'unauthenticated', async () => ({ before: [expired] })],
    ['with something else in the field', 401, 'unauthenticated', async () => ({ before: ['nonsense'] })],
    ['with a token that only allows to read', 403, 'forbidden', async () => ({ before: [await mayOnlyRead()] })],
    ['with two different tokens in fields', 400, 'duplicate_field', async () => ({ before: [alice, expired] })],
    ['with another token in the query', 400, 'duplicate_field', async () => ({ query: '?token=x', before: [alice] })],
    [
      'with another token in Authorization',
      400,
      'bad_request',
      async () => ({ headers: bearer('x'), before: [alice] }),
    ],
    ['with its token after the file', 400, 'field_after_file', async () => ({ after: [alice] })],
    ['with another token after the file', 400, 'field_after_file', async () => ({ before: [alice], after: ['x'] })],
    ['beyond the size of its token', 413, 'too_large', async () => ({ before: [await mayHave(249)] })],
  ])('%s is refused with %i, and leaves nothing behind', async (_, status, code, sentBy) => {
    const before = await namesIn(service.dataDir)
    const sent = await sentBy()
    const response = await send(0, sent)
    if (status === 401) expect(response.headers.get('WWW-Authenticate')).toMatch(/^Bearer/)
    await expectRefusal(response, status, code)
    expect(await namesIn(service.dataDir)).toEqual(before)
  })

  it('with raw bytes is accepted with a token in the query', async () => {
    const fields = { token: alice, task_id: task, id: 'WU_FILE_0', name: 'raw.bin', size: '250' }
    const response = await fetch(`${service.url}/upload/accept?${new URLSearchParams(fields)}`, {
      method: 'POST',
      body: content,
    })
    expect(await answered(response)).toMatchObject({ status: 200, finished: true })
  })

  it('continues the upload with a new token of the same owner, when the first has expired', async () => {
    const { id } = await answered(await send(0, { before: [alice] }))
    expect((await send(1, { before: [expired] })).status).toBe(401)
    const renewed = await tokenFor('alice', { exp: inSeconds(600) })
    for (const chunk of [1, 2]) expect(await answered(await send(chunk, { before: [renewed] }))).toMatchObject({ id })
  })

  it('of 5 MiB receives the whole response to its refusal, on a connection that stays usable', async () => {
    const file = cut(bytesOf(5 * MIB), 5 * MIB, { task_id: task })
    const body = multipartBody(file.fields(0), file.bytes(0))
    const wire = await connect(service.url)
    const head = { 'Content-Type': MULTIPART, 'Content-Length': body.length }
    for (let time = 0; time < 3; time++) {
      await wire.send(requestHead('POST', '/upload/accept', head), body)
      const { status, body: text } = await wire.answer()
      expectRefusalText(status, text, 401, 'unauthenticated')
    }
    await wire.cut()
  })
})

describe('/upload/complete', () => {
  it.each<[string, (fields: Readonly<Record<string, string>>) => Promise<Response>]>([
    ['the query', (fields) => fetch(`${service.url}/upload/complete?${new URLSearchParams(fields)}`)],
    ['a form', (fields) => call('/upload/complete', new URLSearchParams(fields))],
    ['a multipart form', (fields) => call('/upload/complete', formOf(fields))],
    ['JSON', (fields) => call('/upload/complete', JSON.stringify(fields), { 'Content-Type': 'application/json' })],
  ])('takes a token from %s', async (_, ask) => {
    for (const chunk of [0, 1, 2]) await send(chunk, { before: [alice] })
    const fields = { task_id: task, filename: 'big.bin' }
    const { url, ...answer } = await answered(await ask({ ...fields, token: alice }))
    expect(answer).toMatchObject({ status: 200, ok: true })
    expect(url).not.toContain(alice)
    const refused = await ask({ ...fields, token: expired })
    expect(refused.headers.get('WWW-Authenticate')).toMatch(/^Bearer/)
    await expectRefusal(refused, 401, 'unauthenticated')
    await expectRefusal(await ask(fields), 401, 'unauthenticated')
    await expectRefusal(await ask({ ...fields, token: await mayOnlyRead() }), 403, 'forbidden')
  })
})

describe('/check', () => {
  const fieldsOf = (token?: string): Record<string, string> => ({
    ...{ task_id: task, name: 'big.bin', size: '250', id: 'WU_FILE_0', chunks: '3' },
    lastModifiedDate: String(cut(content, 100).common.lastModifiedDate),
    ...(token === undefined ? {} : { token }),
  })

  it('lists the chunks of the owner whose token it has, also to a bare one', async () => {
    for (const chunk of [0, 1]) await send(chunk, { before: [alice] })
    const names = `{"file_list":[["${task}1"]]}`
    expect(await (await call('/check', new URLSearchParams(fieldsOf(alice)))).text()).toBe(names)
    expect(await (await call('/check', JSON.stringify(fieldsOf(alice)))).text()).toBe(names)
    service = await service.restart()
    expect(await (await call(`/check?token=${alice}`, 'POST TEST')).text()).toContain(`"${task}1"`)
  })

  it.each<[string, () => Promise<string | undefined>]>([
    ['without a token', async () => undefined],
    ['with an expired token', async () => expired],
    ['with the token of another owner', () => tokenFor('bob')],
    ['with a token that only allows to read', () => mayOnlyRead()],
  ])('answers 200 with an empty list and no cookie %s', async (_, tokenOf) => {
    for (const chunk of [0, 1]) await send(chunk, { before: [alice] })
    const response = await call('/check', new URLSearchParams(fieldsOf(await tokenOf())))
    expect([response.status, await response.text()]).toEqual([200, '{"file_list":[[]]}'])
    expect(response.headers.get('WWW-Authenticate')).toBeNull()
    expect(response.headers.get('Set-Cookie')).toBeNull()
  })

  it('answers 200 with an empty list while tokens cannot be verified; a chunk gets 409, so that pages try again', async () => {
    const away = await startService({
      AUTH: 'jwt',
      JWKS_URL: `http://127.0.0.1:${await freePort()}/keys`,
      AUTH_FIELD: 'token',
    })
    try {
      const token = `${btoa('{"alg":"ES256","kid":"a"}').replaceAll('=', '')}.${btoa('{"sub":"a","exp":9999999999}').replaceAll('=', '')}.AAAA`
      const body = Buffer.concat([
        Buffer.from(fieldPart('token', token)),
        multipartBody(cut(content, 250, { task_id: task }).fields(0), content),
      ])
      await expectRefusal(await post(away.url, body), 409, 'auth_unavailable')
      const response = await fetch(`${away.url}/check`, { method: 'POST', body: new URLSearchParams(fieldsOf(token)) })
      expect([response.status, await response.text()]).toEqual([200, '{"file_list":[[]]}'])
    } finally {
      await away.close()
    }
  })
})

describe('A visitor cookie', () => {
  it('is neither set nor read with authentication', async () => {
    const page = await fetch(`${service.url}/legacy`)
    await page.arrayBuffer()
    expect(page.headers.get('Set-Cookie')).toBeNull()
    const headers = { Cookie: `landfall_visitor=${'a'.repeat(32)}` }
    const { id } = await answered(await send(0, { before: [alice], headers }))
    expect(await answered(await send(1, { before: [alice] }))).toMatchObject({ id, received: 200 })
    await expectRefusal(await send(2, { headers }), 401, 'unauthenticated')
  })
})

describe('A token', () => {
  it('is in no file of the data directory, and in no response', async () => {
    const responses = [await send(0, { before: [alice], query: `?token=${alice}` }), await send(1, { before: [alice] })]
    responses.push(
      await call('/check', new URLSearchParams({ task_id: task, name: 'big.bin', size: '250', token: alice })),
    )
    responses.push(await send(2, { before: [alice] }))
    responses.push(await send(2, { before: [alice, expired] }))
    responses.push(
      await fetch(
        `${service.url}/upload/complete?${new URLSearchParams({ task_id: task, filename: 'big.bin', token: alice })}`,
      ),
    )
    const secret = alice.split('.')[2] ?? alice
    for (const response of responses) {
      expect(await response.text()).not.toContain(secret)
      expect(JSON.stringify([...response.headers])).not.toContain(secret)
    }
    for (const name of await namesIn(service.dataDir)) {
      expect(name).not.toContain(secret)
      expect((await readFile(path.join(service.dataDir, name))).includes(secret)).toBe(false)
    }
  })
})

describe('AUTH=none', () => {
  it('ignores the token field, whatever it holds', async () => {
    const open = await startService({ AUTH_FIELD: 'token' })
    try {
      const file = cut(content, 250, { task_id: task })
      const fields = Buffer.from(fieldPart('token', 'a') + fieldPart('token', 'x'.repeat(20_000)))
      const late = Buffer.from(fieldPart('token', 'c') + CLOSING)
      const whole = multipartBody(file.fields(0), file.bytes(0)).subarray(0, -CLOSING.length)
      expect(await answered(await post(open.url, [fields, whole, late]))).toMatchObject({ status: 200, finished: true })
    } finally {
      await open.close()
    }
  })
})

function call(path: string, body: BodyInit, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(service.url + path, { method: 'POST', headers, body })
}

function formOf(fields: Readonly<Record<string, string>>): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.append(name, value)
  return form
}

const mayOnlyRead = (): Promise<string> => tokenFor('alice', { landfall: { may: ['read'] } })
const mayHave = (bytes: number): Promise<string> => tokenFor('alice', { landfall: { max_size: bytes } })

/** The files in a directory and below it. */
async function namesIn(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)))
    .sort()
}
