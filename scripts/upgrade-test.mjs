// `node scripts/upgrade-test.mjs [--from REVISION]`, after `npm run build`: begins uploads with an earlier version, which
// it builds in a worktree, continues them with this one, and then tries the way back. Exits with 1 if an upload is lost.
import { spawn, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { from: { type: 'string', default: 'dffe5da' } } })
const TUS = { 'Tus-Resumable': '1.0.0' }
const PATCH = { ...TUS, 'Content-Type': 'application/offset+octet-stream' }
const SIZE = 3_000_000
const HALF = 1_000_000

const temporary = mkdtempSync(path.join(tmpdir(), 'landfall-upgrade-'))
const old = path.join(temporary, 'old')
const children = []
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  spawnSync('git', ['worktree', 'remove', '--force', old])
  rmSync(temporary, { recursive: true, force: true })
})

function run(command, args, cwd = '.') {
  const { status } = spawnSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) throw new Error(`"${[command, ...args].join(' ')}" failed.`)
}

/** Starts the program of a checkout. @returns its URL, and a function that stops it. @throws Error with its output. */
async function start(folder, dataDir) {
  const { bin } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))
  const env = { PATH: process.env.PATH, PORT: '0', DATA_DIR: dataDir, LOG_LEVEL: 'warn', MIN_FREE: '0' }
  const child = spawn(process.execPath, [path.join(folder, bin.landfall)], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  let errors = ''
  child.stderr.on('data', (text) => {
    errors += text
  })
  const url = await new Promise((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      const found = /https?:\/\/\S+/.exec(line)
      if (found !== null) resolve(found[0])
    })
    child.once('exit', (code) => reject(new Error(`It ended with ${code}: ${errors.trim()}`)))
  })
  return {
    url,
    stop: async () => {
      const exit = once(child, 'exit')
      child.kill('SIGTERM')
      await exit
    },
  }
}

const sha = (bytes) => createHash('sha256').update(bytes).digest('hex')

/** Fails with what a response says, unless it has one of the statuses. */
async function expectStatus(response, ...statuses) {
  if (statuses.includes(response.status)) return response
  throw new Error(`${response.url}: ${response.status} ${await response.text()}`)
}

async function downloaded(url) {
  return sha(Buffer.from(await (await expectStatus(await fetch(url), 200)).arrayBuffer()))
}

/** An upload by tus, of which the first bytes are there. */
async function beginTus(base, content, end) {
  const headers = { ...TUS, 'Upload-Length': String(content.length), 'Upload-Metadata': `filename ${btoa('a.bin')}` }
  const created = await expectStatus(await fetch(`${base}/files`, { method: 'POST', headers }), 201)
  const { pathname } = new URL(created.headers.get('Location'), base)
  const body = content.subarray(0, end)
  await expectStatus(
    await fetch(base + pathname, { method: 'PATCH', headers: { ...PATCH, 'Upload-Offset': '0' }, body }),
    204,
  )
  return pathname
}

async function resumeTus(base, pathname, content) {
  const head = await expectStatus(await fetch(base + pathname, { method: 'HEAD', headers: TUS }), 200)
  const offset = Number(head.headers.get('Upload-Offset'))
  if (offset !== HALF) throw new Error(`The offset is ${offset}, not ${HALF}.`)
  const headers = { ...PATCH, 'Upload-Offset': String(offset) }
  await expectStatus(await fetch(base + pathname, { method: 'PATCH', headers, body: content.subarray(offset) }), 204)
  return downloaded(base + pathname)
}

/** A chunk of a WebUploader page, of three. */
async function sendChunk(base, cookie, content, chunk) {
  const form = new FormData()
  const fields = {
    task_id: 'wu_upgrade',
    id: 'WU_FILE_0',
    name: 'page.bin',
    type: '',
    lastModifiedDate: 'Mon',
    size: SIZE,
  }
  for (const [name, value] of Object.entries({ ...fields, chunks: 3, chunk })) form.append(name, String(value))
  form.append('file', new Blob([content.subarray(chunk * HALF, (chunk + 1) * HALF)]), 'page.bin')
  const headers = { Cookie: cookie }
  const response = await fetch(`${base}/upload/accept`, { method: 'POST', headers, body: form })
  return (await expectStatus(response, 200)).json()
}

async function beginPage(base, content) {
  const page = await expectStatus(await fetch(`${base}/legacy`), 200)
  const [cookie = ''] = (page.headers.get('Set-Cookie') ?? '').split(';')
  await sendChunk(base, cookie, content, 0)
  return cookie
}

async function resumePage(base, cookie, content) {
  await sendChunk(base, cookie, content, 1)
  const last = await sendChunk(base, cookie, content, 2)
  if (last.finished !== true) throw new Error(`The file is not finished: ${JSON.stringify(last)}`)
  return downloaded(new URL(last.url ?? `/files/${last.id}`, base))
}

let failed = false
async function attempt(name, work) {
  const outcome = await work().then(
    (text) => ({ text: text ?? '', ok: true }),
    (error) => ({ text: error.message, ok: false }),
  )
  console.log(`${outcome.ok ? 'ok' : 'FAILED'}  ${name}${outcome.text === '' ? '' : `: ${outcome.text}`}`)
  return outcome.ok
}

const same = async (actual, content) => {
  if ((await actual) !== sha(content)) throw new Error('The bytes differ.')
}

run('git', ['worktree', 'add', '--detach', '--force', old, values.from])
run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], old)
run('npm', ['run', 'build'], old)

const dataDir = path.join(temporary, 'data')
const backup = path.join(temporary, 'backup')
mkdirSync(dataDir)
const [tus, page, finished, second] = Array.from({ length: 4 }, () => randomBytes(SIZE))
const before = await start(old, dataDir)
const tusPath = await beginTus(before.url, tus, HALF)
const secondPath = await beginTus(before.url, second, HALF)
const finishedPath = await beginTus(before.url, finished, SIZE)
const cookie = await beginPage(before.url, page)
await before.stop()
cpSync(dataDir, backup, { recursive: true, filter: (source) => !source.endsWith('.sock') })

console.log(`From ${values.from} to this version, on the same directory:`)
const now = await start('.', dataDir)
const checks = {
  'a tus upload resumes': () => same(resumeTus(now.url, tusPath, tus), tus),
  'a finished file is read': () => same(downloaded(now.url + finishedPath), finished),
  'the file of a page resumes, for its visitor': () => same(resumePage(now.url, cookie, page), page),
}
for (const [name, work] of Object.entries(checks)) if (!(await attempt(name, work))) failed = true
const created = randomBytes(SIZE)
const [createdPath, openPath] = [await beginTus(now.url, created, SIZE), await beginTus(now.url, created, HALF)]
await now.stop()
/** @returns the last line of its output. */
async function doctor(...flags) {
  const args = ['dist/program/main.js', 'doctor', '--data-dir', dataDir, ...flags]
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(stdout)
  return stdout.trim().split('\n').at(-1)
}
const examinations = {
  'the doctor repairs permissions of the earlier version': () => doctor('--repair'),
  'the doctor finds no problems afterwards': () => doctor(),
}
for (const [name, work] of Object.entries(examinations)) if (!(await attempt(name, work))) failed = true

console.log(`Back to ${values.from}, on the directory that this version has used:`)
const back = await start(old, dataDir).catch((error) => error)
if (back instanceof Error) console.log(`refused  ${back.message}`)
else {
  await attempt('a finished file of before is read', () => same(downloaded(back.url + finishedPath), finished))
  await attempt('a file that this version finished is read', () => same(downloaded(back.url + tusPath), tus))
  await attempt('an upload that this version has not touched resumes', () =>
    same(resumeTus(back.url, secondPath, second), second),
  )
  await attempt('a file that this version created and finished is read', () =>
    same(downloaded(back.url + createdPath), created),
  )
  await attempt('an upload that this version created resumes', () =>
    same(resumeTus(back.url, openPath, created), created),
  )
  await back.stop()
}

console.log(`Back to ${values.from}, on the backup from before:`)
const restored = await start(old, backup)
const again = {
  'a finished file is read': () => same(downloaded(restored.url + finishedPath), finished),
  'a tus upload resumes from where it was then': () => same(resumeTus(restored.url, tusPath, tus), tus),
}
for (const [name, work] of Object.entries(again)) if (!(await attempt(name, work))) failed = true
await restored.stop()
process.exit(failed ? 1 : 0)
