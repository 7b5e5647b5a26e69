// Pages that no dialect of the package is for: they send what well-known pages send, with code of their own.
const CHUNK = 65536

/** The slices of a file. */
function slices(file) {
  return Array.from({ length: Math.ceil(file.size / CHUNK) }, (_, n) => file.slice(n * CHUNK, (n + 1) * CHUNK))
}

/** A form with these entries, in order. */
function formOf(entries) {
  const form = new FormData()
  for (const [name, value, fileName] of entries) {
    if (fileName === undefined) form.append(name, value)
    else form.append(name, value, fileName)
  }
  return form
}

/** The JSON of a successful response. */
async function sent(url, init) {
  const response = await fetch(url, { method: 'POST', ...init })
  const body = await response.text()
  if (!response.ok) throw new Error(`${response.status} ${body}`)
  return body === '' ? {} : JSON.parse(body)
}

const sentJson = (url, json) =>
  sent(url, { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(json) })

/** Sends a request again that fails, a few times. */
async function again(times, pause, send) {
  for (let left = times; ; left--) {
    try {
      return await send()
    } catch (error) {
      if (left === 0) throw error
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }
}

/** Runs tasks, `most` of them at once. */
async function pool(most, tasks) {
  const left = [...tasks]
  const work = async () => {
    for (let task = left.shift(); task !== undefined; task = left.shift()) await task()
  }
  await Promise.all(Array.from({ length: most }, work))
}

async function digestOf(file) {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

const unknownPages = {
  async 'unique-upload-id'(file, { url }) {
    const id = crypto.randomUUID()
    let last
    for (const [n, slice] of slices(file).entries()) {
      const headers = {
        'X-Unique-Upload-Id': id,
        'Content-Range': `bytes ${n * CHUNK}-${n * CHUNK + slice.size - 1}/${file.size}`,
      }
      const entries = [
        ['file', slice, file.name],
        ['upload_preset', 'preset'],
      ]
      last = await again(3, 50, () => sent(url, { headers, body: formOf(entries) }))
    }
    if (!last?.done || last.secure_url === undefined) throw new Error('The last answer has no URL.')
  },

  async 'verify-merge'(file, { url }) {
    const fileHash = await digestOf(file)
    const { shouldUpload, uploadedList } = await sentJson(`${url}/verify`, { filename: file.name, fileHash })
    if (!shouldUpload) return
    const chunks = slices(file)
      .map((chunk, n) => ({ chunk, hash: `${fileHash}-${n}` }))
      .filter(({ hash }) => !uploadedList.includes(hash))
    const requests = chunks.map(({ chunk, hash }) =>
      sent(url, {
        body: formOf([
          ['chunk', chunk],
          ['hash', hash],
          ['filename', file.name],
          ['fileHash', fileHash],
        ]),
      }),
    )
    await Promise.all(requests)
    const { code } = await sentJson(`${url}/merge`, { size: CHUNK, fileHash, filename: file.name })
    if (code !== 0) throw new Error('merge')
  },

  async 'chunk-name'(file, { url }) {
    const fileHash = await digestOf(file)
    const { shouldUpload, uploadedChunks } = await sentJson(`${url}/check`, { fileHash })
    if (!shouldUpload) return
    const tasks = slices(file)
      .map((chunk, n) => ({ chunk, n }))
      .filter(({ n }) => !uploadedChunks.includes(n))
      .map(
        ({ chunk, n }) =>
          () =>
            sent(`${url}/upload`, {
              body: formOf([
                ['chunk', chunk],
                ['chunkName', `${n}-${file.name}`],
                ['fileHash', fileHash],
              ]),
            }),
      )
    await pool(6, tasks)
    const { success } = await sentJson(`${url}/merge`, { chunkSize: CHUNK, fileHash, fileName: file.name })
    if (!success) throw new Error('merge')
  },

  async 'upload-session'(file, { url, slow }) {
    const { status, data } = await sentJson(url, {
      phase: 'start',
      mime_type: file.type,
      size: file.size,
      name: file.name,
    })
    if (status !== 'success') throw new Error('start')
    const [times, pause] = slow ? [100, 200] : [3, 50]
    const offsets = Array.from({ length: Math.ceil(file.size / data.end_offset) }, (_, n) => n * data.end_offset)
    const tasks = offsets.map((start) => async () => {
      const entries = [
        ['phase', 'upload'],
        ['session_id', data.session_id],
        ['start_offset', String(start)],
        ['chunk', file.slice(start, start + data.end_offset)],
      ]
      const answer = await again(times, pause, () => sent(url, { body: formOf(entries) }))
      if (answer.status !== 'success') throw new Error('chunk')
    })
    await pool(3, tasks)
    const ended = await sentJson(url, { phase: 'finish', session_id: data.session_id })
    if (ended.status !== 'success') throw new Error('finish')
  },

  async 'chunk-metadata'(file, { url }) {
    const FileGuid = crypto.randomUUID()
    const chunks = slices(file)
    for (const [Index, slice] of chunks.entries()) {
      const facts = { FileName: file.name, Index, TotalCount: chunks.length, FileSize: file.size }
      const metadata = JSON.stringify({ ...facts, FileType: file.type, FileGuid })
      await sent(url, {
        body: formOf([
          ['files[]', slice],
          ['chunkMetadata', metadata],
        ]),
      })
    }
  },

  async 'until-last'(file, { url, slow }) {
    const own = `${url}/${crypto.randomUUID()}`
    const chunks = slices(file)
    const [times, pause] = slow ? [100, 200] : [3, 50]
    const tasks = chunks.map((body, n) => () => {
      const headers = { 'X-Part': String(n + 1), 'Content-Type': 'application/octet-stream' }
      return again(times, pause, () =>
        sent(`${own}?name=${encodeURIComponent(file.name)}`, { method: 'PUT', headers, body }),
      )
    })
    await pool(3, tasks)
    await sentJson(`${own}/end`, { parts: chunks.length })
  },
}

for (const [name, upload] of Object.entries(unknownPages)) {
  libraries[name] = (files, options, report) => {
    for (const file of files) {
      upload(file, options).then(
        () => report(file.name, true),
        (error) => report(file.name, false, error.message),
      )
    }
  }
}
