// Records the operations of the program on its data directory, and its responses: one line of JSON each, in the order
// in which they began and ended.
import { channel } from 'node:diagnostics_channel'
import fs from 'node:fs'
import http from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import { setTimeout as pause } from 'node:timers/promises'

/** Milliseconds. */
const SLOW = 1_000

/**
 * Starts recording, for the whole process.
 *
 * @param file the log, to which it appends.
 * @param folder only operations inside it are recorded.
 * @param slow a directory whose syncs take long.
 */
export async function record(file, folder, slow) {
  const log = fs.openSync(file, 'a')
  const { writeSync } = fs
  let count = 0
  const note = (line) => writeSync(log, `${JSON.stringify(line)}\n`)
  const newId = () => {
    count += 1
    return `${process.pid}.${count}`
  }
  const noted = async (operation, work) => {
    const id = newId()
    note({ at: 'begin', id, ...operation })
    try {
      const result = await work(id)
      note({ at: 'end', id, ...(result?.bytesWritten !== undefined && { written: result.bytesWritten }) })
      return result
    } catch (error) {
      note({ at: 'failed', id })
      throw error
    }
  }
  recordPaths(noted, (path) => typeof path === 'string' && path.startsWith(folder))
  const handle = await handlePrototype()
  slowDown(handle, slow)
  recordHandles(handle, noted)
  recordDescriptors(note, newId, folder)
  recordAnswers(note, newId)
  syncBuiltinESMExports()
}

/** The ids of open files in the log. */
const handles = new WeakMap()
const descriptors = new Map()
const paths = new WeakMap()

function recordPaths(noted, isInside) {
  const { promises } = fs
  const { mkdir, open, rename, rm, rmdir } = promises
  const one =
    (op, work) =>
    (path, ...more) =>
      isInside(path) ? noted({ op, path }, () => work(path, ...more)) : work(path, ...more)
  promises.mkdir = one('mkdir', mkdir)
  promises.rm = one('remove', rm)
  promises.rmdir = one('remove', rmdir)
  promises.rename = (from, to) => noted({ op: 'rename', from, to }, () => rename(from, to))
  promises.open = (path, flags = 'r', ...more) => {
    if (!isInside(path)) return open(path, flags, ...more)
    // The program uses numbers only for existing files.
    return noted({ op: 'open', path, flags: typeof flags === 'number' ? 'r+' : flags }, async (id) => {
      const handle = await open(path, flags, ...more)
      handles.set(handle, id)
      paths.set(handle, path)
      return handle
    })
  }
  promises.writeFile = async (path, text) => {
    const handle = await promises.open(path, 'w')
    await handle.writeFile(text)
    await handle.close()
  }
}

async function handlePrototype() {
  const file = await fs.promises.open(process.execPath, 'r')
  await file.close()
  return Object.getPrototypeOf(file)
}

function recordHandles(handle, noted) {
  const wrap = (name, operation) => {
    const original = handle[name]
    handle[name] = function (...parameters) {
      const id = handles.get(this)
      const work = () => original.apply(this, parameters)
      return id === undefined ? work() : noted({ handle: id, ...operation(...parameters) }, work)
    }
  }
  wrap('write', (bytes, offset, length, position) => writing([bytes.subarray(offset, offset + length)], position))
  wrap('writev', writing)
  wrap('writeFile', (text) => writing([Buffer.from(text)], 0))
  wrap('truncate', (length) => ({ op: 'truncate', length }))
  wrap('datasync', () => ({ op: 'sync', what: 'data' }))
  wrap('sync', () => ({ op: 'sync', what: 'all' }))
}

function slowDown(handle, slow) {
  const { sync } = handle
  handle.sync = async function () {
    await sync.call(this)
    if (paths.get(this) === slow) await pause(SLOW)
  }
}

/** The functions with callbacks, which create new files. */
function recordDescriptors(note, newId, folder) {
  const wrap = (name, operation) => {
    const original = fs[name]
    const recorded = (...parameters) => {
      const callback = parameters.pop()
      const described = operation(...parameters)
      if (described === undefined) return original(...parameters, callback)
      const id = newId()
      note({ at: 'begin', id, ...described })
      original(...parameters, (error, result, ...more) => {
        if (error) note({ at: 'failed', id })
        else note({ at: 'end', id, ...(described.op === 'write' && { written: result }) })
        if (!error && described.op === 'open') descriptors.set(result, id)
        callback(error, result, ...more)
      })
    }
    // util.promisify uses this property.
    fs[name] = Object.defineProperties(recorded, Object.getOwnPropertyDescriptors(original))
  }
  const known = (descriptor, operation) =>
    descriptors.has(descriptor) ? { handle: descriptors.get(descriptor), ...operation } : undefined
  wrap('open', (path, flags) => (String(path).startsWith(folder) ? { op: 'open', path, flags } : undefined))
  wrap('writev', (descriptor, buffers, position) => known(descriptor, writing(buffers, position)))
  wrap('fdatasync', (descriptor) => known(descriptor, { op: 'sync', what: 'data' }))
  wrap('fsync', (descriptor) => known(descriptor, { op: 'sync', what: 'all' }))
}

function writing(buffers, position) {
  return { op: 'write', position, bytes: Buffer.concat(buffers).toString('base64') }
}

/** A response is recorded right before it can leave. */
function recordAnswers(note, newId) {
  const ids = new WeakMap()
  channel('http.server.request.start').subscribe(({ request, response }) => {
    const id = newId()
    ids.set(response, id)
    note({ at: 'request', id, method: request.method, url: request.url, headers: request.headers })
  })
  const { end } = http.ServerResponse.prototype
  http.ServerResponse.prototype.end = function (body, ...more) {
    const text = typeof body === 'string' || Buffer.isBuffer(body) ? body.toString('utf8') : ''
    note({ at: 'answer', id: ids.get(this), status: this.statusCode, headers: this.getHeaders(), body: text })
    return end.call(this, body, ...more)
  }
}
