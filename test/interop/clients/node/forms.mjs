// node forms.mjs <library> <variant> <job>: sends forms with an HTTP client of npm. Prints each response as a line of
// JSON.
import { createReadStream, openAsBlob } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { PassThrough } from 'node:stream'
import FormDataPackage from 'form-data'

const [, , library, variant, text] = process.argv
const job = JSON.parse(text)
const { default: http } = library === 'fetch' ? {} : await import(library)

/** The parts in their order: a field is [name, value], the file [name, undefined]. */
function partsOf({ fields, fieldsAfter }) {
  return fieldsAfter ? [['file', undefined], ...fields] : [...fields, ['file', undefined]]
}

/** A form of the package form-data, as most libraries send it. */
async function packageForm(form) {
  const body = new FormDataPackage()
  for (const [name, value] of partsOf(form)) {
    const options = { filename: form.name, contentType: 'application/octet-stream' }
    if (value !== undefined) body.append(name, value)
    else body.append(name, form.streamed ? ofUnknownLength(form.file) : await readFile(form.file), options)
  }
  return body
}

/** A stream whose length the package cannot know. */
function ofUnknownLength(file) {
  return createReadStream(file).pipe(new PassThrough())
}

async function nativeForm(form) {
  const native = new FormData()
  for (const [name, value] of partsOf(form)) {
    if (value !== undefined) native.append(name, value)
    else native.append(name, await openAsBlob(form.file, { type: 'application/octet-stream' }), form.name)
  }
  return native
}

const CLIENTS = {
  needle: async (form) => {
    const file = { buffer: await readFile(form.file), filename: form.name, content_type: 'application/octet-stream' }
    const data = Object.fromEntries(partsOf(form).map(([name, value]) => [name, value ?? file]))
    const { statusCode, body } = await http('post', job.url, data, { multipart: true, parse_response: false })
    return [statusCode, body.toString()]
  },
  'axios, form-data': async (form) => {
    const body = await packageForm(form)
    const headers = { ...body.getHeaders(), ...(form.streamed ? {} : { 'Content-Length': body.getLengthSync() }) }
    const { status, data } = await http.post(job.url, body, { ...AXIOS, headers })
    return [status, data]
  },
  'axios, FormData': async (form) => {
    const { status, data } = await http.post(job.url, await nativeForm(form), AXIOS)
    return [status, data]
  },
  'axios, postForm': async (form) => {
    const data = Object.fromEntries(partsOf(form).map(([name, value]) => [name, value ?? createReadStream(form.file)]))
    const answer = await http.postForm(job.url, data, AXIOS)
    return [answer.status, answer.data]
  },
  'got, form-data': async (form) => {
    const { statusCode, body } = await http.post(job.url, { body: await packageForm(form), ...GOT })
    return [statusCode, body]
  },
  'got, FormData': async (form) => {
    const { statusCode, body } = await http.post(job.url, { body: await nativeForm(form), ...GOT })
    return [statusCode, body]
  },
  request: (form) =>
    new Promise((resolve, reject) => {
      const post = http.post(job.url, (error, answer) => {
        if (error) reject(error)
        else resolve([answer.statusCode, answer.body])
      })
      const body = post.form()
      const options = { filename: form.name, contentType: 'application/octet-stream' }
      for (const [name, value] of partsOf(form)) {
        if (value !== undefined) body.append(name, value)
        else body.append(name, createReadStream(form.file), options)
      }
    }),
  superagent: async (form) => {
    const post = http.post(job.url).ok(() => true)
    for (const [name, value] of partsOf(form)) {
      if (value !== undefined) post.field(name, value)
      else post.attach(name, form.file, { filename: form.name, contentType: 'application/octet-stream' })
    }
    const { status, text } = await post
    return [status, text]
  },
  fetch: async (form) => {
    const answer = await fetch(job.url, { method: 'POST', body: await nativeForm(form) })
    return [answer.status, await answer.text()]
  },
}
const AXIOS = { validateStatus: () => true, transformResponse: (data) => data, maxBodyLength: Number.POSITIVE_INFINITY }
const GOT = { throwHttpErrors: false, retry: { limit: 0 } }

for (const form of job.forms) {
  const [status, body] = await CLIENTS[variant ? `${library}, ${variant}` : library](form)
  console.log(JSON.stringify({ status, body }))
}
// axios leaves a connection that keeps the process alive.
process.exit()
