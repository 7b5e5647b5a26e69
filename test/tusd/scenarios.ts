import type { Client } from './client.ts'

/** What a client does, and what the receiver answers, by the type of the call. */
export interface Scenario {
  readonly name: string
  readonly answers?: Readonly<Record<string, unknown>>
  run(client: Client): Promise<void>
}

const HELLO = 'Hello, world!'
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const NAMED = { 'Upload-Metadata': `filename ${base64('a.txt')}` }
const REFUSAL = { StatusCode: 418, Body: 'No tea.', Header: { 'X-Page': '5' } }

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'an upload',
    run: async (client) => {
      const url = await client.create({ 'Upload-Length': '13', ...NAMED })
      await client.patch(url, 0, HELLO)
      await client.called('post-finish')
      await client.called('post-receive')
      await client.head(url)
    },
  },
  {
    name: 'an upload in two requests',
    run: async (client) => {
      const url = await client.create({ 'Upload-Length': '13', ...NAMED })
      await client.patch(url, 0, 'Hello')
      await client.called('post-receive')
      await client.patch(url, 5, ', world!')
      await client.called('post-finish')
      await client.called('post-receive', 2)
    },
  },
  {
    name: 'a deferred length',
    run: async (client) => {
      const url = await client.create({ 'Upload-Defer-Length': '1' })
      await client.patch(url, 0, 'Hello')
      await client.called('post-receive')
      await client.patch(url, 5, ', world!', { 'Upload-Length': '13' })
      await client.called('post-finish')
      await client.called('post-receive', 2)
    },
  },
  {
    name: 'metadata',
    run: async (client) => {
      const pairs = [`filename ${base64('世界 “x”.txt')}`, 'empty', `filetype ${base64('text/plain')}`]
      const url = await client.create({ 'Upload-Length': '13', 'Upload-Metadata': pairs.join(',') })
      await client.called('post-create')
      await client.head(url)
    },
  },
  {
    name: 'no bytes',
    run: async (client) => {
      await client.create({ 'Upload-Length': '0', ...NAMED })
      await client.called('post-create')
      await client.called('post-finish')
    },
  },
  {
    name: 'a creation with all bytes',
    run: async (client) => {
      await client.create({ 'Upload-Length': '13', ...NAMED }, HELLO)
      await client.called('post-finish')
      await client.called('post-receive')
    },
  },
  {
    name: 'a creation with some bytes',
    run: async (client) => {
      const url = await client.create({ 'Upload-Length': '13', ...NAMED }, 'Hello')
      await client.called('post-receive')
      await client.head(url)
    },
  },
  {
    name: 'a concatenation',
    run: async (client) => {
      const first = await client.create({ 'Upload-Length': '5', 'Upload-Concat': 'partial' })
      const second = await client.create({ 'Upload-Length': '8', 'Upload-Concat': 'partial' })
      await client.patch(first, 0, 'Hello')
      await client.patch(second, 0, ', world!')
      await client.called('post-create', 2)
      await client.called('post-receive', 2)
      const paths = [first, second].map((url) => new URL(url).pathname)
      await client.create({ 'Upload-Concat': `final;${paths.join(' ')}`, ...NAMED })
      await client.called('post-create', 3)
      await client.called('post-finish', 1, { IsFinal: true })
    },
  },
  {
    name: 'a deletion',
    run: async (client) => {
      const url = await client.create({ 'Upload-Length': '13', ...NAMED })
      await client.patch(url, 0, 'Hello')
      await client.called('post-receive')
      await client.delete(url)
      await client.called('post-terminate')
    },
  },
  {
    name: 'a deletion of a finished file',
    run: async (client) => {
      const url = await client.create({ 'Upload-Length': '13', ...NAMED })
      await client.patch(url, 0, HELLO)
      await client.called('post-finish')
      await client.called('post-receive')
      await client.delete(url)
      await client.called('post-terminate')
    },
  },
  {
    name: 'a refused creation',
    answers: { 'pre-create': { RejectUpload: true } },
    run: async (client) => {
      await client.create({ 'Upload-Length': '13', ...NAMED })
    },
  },
  {
    name: 'a refused creation with an answer',
    answers: { 'pre-create': { RejectUpload: true, HTTPResponse: REFUSAL } },
    run: async (client) => {
      await client.create({ 'Upload-Length': '13', ...NAMED })
    },
  },
  {
    name: 'a refused deletion',
    answers: { 'pre-terminate': { RejectTermination: true, HTTPResponse: REFUSAL } },
    run: async (client) => {
      const url = await client.create({ 'Upload-Length': '13', ...NAMED })
      await client.delete(url)
      await client.head(url)
    },
  },
  {
    name: 'answers to a creation and a deletion',
    answers: {
      'pre-create': { HTTPResponse: { Header: { 'X-Page': '5' } } },
      'pre-terminate': { HTTPResponse: { StatusCode: 202, Body: 'Later.', Header: { 'X-Page': '6' } } },
    },
    run: async (client) => {
      const url = await client.create({ 'Upload-Length': '13', ...NAMED })
      await client.delete(url)
      await client.called('post-terminate')
    },
  },
  {
    name: 'an answer to the last byte',
    answers: { 'pre-finish': { HTTPResponse: { StatusCode: 200, Body: '{"page":5}', Header: { 'X-Page': '5' } } } },
    run: async (client) => {
      const url = await client.create({ 'Upload-Length': '13', ...NAMED })
      await client.patch(url, 0, HELLO)
      await client.called('post-finish')
      await client.called('post-receive')
    },
  },
  {
    name: 'a changed upload',
    answers: { 'pre-create': { ChangeFileInfo: { ID: 'chosen', MetaData: { filename: 'b.txt', by: 'hook' } } } },
    run: async (client) => {
      const url = await client.create({ 'Upload-Length': '13', ...NAMED })
      await client.patch(url, 0, HELLO)
      await client.called('post-finish')
      await client.called('post-receive')
      await client.head(url)
    },
  },
  {
    name: 'an upload that is stopped while it runs',
    answers: { 'post-receive': { StopUpload: true, HTTPResponse: REFUSAL } },
    run: async (client) => {
      const url = await client.create({ 'Upload-Length': '13', ...NAMED })
      const begun = new ReadableStream<Uint8Array>({ start: (body) => body.enqueue(Buffer.from('Hello')) })
      await client.patch(url, 0, begun)
      await client.called('post-terminate')
      await client.head(url)
    },
  },
  {
    name: 'a receiver that fails before a creation',
    answers: { 'pre-create': 404 },
    run: async (client) => {
      await client.create({ 'Upload-Length': '13', ...NAMED })
    },
  },
]
