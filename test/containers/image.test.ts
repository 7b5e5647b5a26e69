import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Deployment, engine, engineOk, freePort, IMAGE, newDeployment, untilReady } from './deployment.ts'
import { downloaded, sampleBytes, uploadByTusClient } from './uploads.ts'

const VOLUME = 'landfall-test-image'
const bytes = sampleBytes(3_000_001)

describe('The image, without compose,', () => {
  let deployment: Deployment

  beforeAll(async () => {
    deployment = await newDeployment()
    if ((await engine('image', 'inspect', IMAGE)).code !== 0) await deployment.compose('build')
  })
  afterAll(async () => {
    await engine('volume', 'rm', '-f', VOLUME)
    await deployment.dispose()
  })

  /** Runs the image in the background until `work` is done. */
  async function running(
    options: readonly string[],
    work: (url: string, container: string) => Promise<void>,
  ): Promise<void> {
    const port = await freePort()
    const container = await engineOk('run', '-d', '-p', `${port}:1080`, ...options, IMAGE)
    try {
      await untilReady(`http://localhost:${port}`)
      await work(`http://localhost:${port}`, container)
    } finally {
      await engineOk('rm', '-f', '-v', container)
    }
  }

  async function uploadAndDownload(url: string): Promise<void> {
    const uploaded = await uploadByTusClient(url, bytes)
    expect((await downloaded(uploaded.url)).equals(bytes)).toBe(true)
  }

  test('runs with a read-only root file system and only the declared volume', async () => {
    await running(['--read-only'], uploadAndDownload)
  })

  test('has a data directory that only its own user can write to, and its group can read', async () => {
    const line = await engineOk('run', '--rm', IMAGE, 'stat', '-c', '%u:%g %a', '/data')
    expect(line).toBe('1000:1000 750')
  })

  test('does not warn of its public address, which is that of the container', async () => {
    await running([], async (_, container) => {
      const { out, errors } = await engine('logs', container)
      expect(out + errors).toMatch(/^Landfall listens on \S+$/)
    })
  })

  test('runs without capabilities, as whichever user owns the volume', async () => {
    await engineOk('run', '--rm', '--user', 'root', '-v', `${VOLUME}:/data`, IMAGE, 'chown', '12345:54321', '/data')
    const options = ['--read-only', '--cap-drop', 'ALL', '--user', '12345:54321', '-v', `${VOLUME}:/data`]
    await running(options, async (url, container) => {
      expect(await engineOk('exec', container, 'id', '-u')).toBe('12345')
      await uploadAndDownload(url)
    })
  })

  test('ends on a volume of another user with the command that fixes it, and that command does', async () => {
    const refused = await engine('run', '--rm', '-v', `${VOLUME}:/data`, IMAGE)
    expect(refused.code).toBe(1)
    expect(refused.errors).toContain('belongs to another user. Run as root: chown -R 1000:1000 /data')
    expect(refused.errors).not.toContain(' at ')

    const line = /chown -R \S+ \S+/.exec(refused.errors)?.[0] ?? ''
    await engineOk('run', '--rm', '--user', 'root', '-v', `${VOLUME}:/data`, IMAGE, ...line.split(' '))
    await running(['-v', `${VOLUME}:/data`], uploadAndDownload)
  })

  test('runs on a directory of the host that belongs to the given user', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'landfall-bind-'))
    // Only root can change the owner of a directory; other users run the container as themselves.
    const [uid, gid] = process.getuid?.() === 0 ? [12345, 54321] : [process.getuid?.() ?? 0, process.getgid?.() ?? 0]
    await chown(folder, uid, gid)
    try {
      await running(['--read-only', '--user', `${uid}:${gid}`, '-v', `${folder}:/data`], uploadAndDownload)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('names a data directory that cannot be created', async () => {
    const refused = await engine('run', '--rm', '--read-only', '-e', 'DATA_DIR=/elsewhere', IMAGE)
    expect(refused.code).toBe(1)
    expect(refused.errors).toContain('The data directory /elsewhere does not exist')
  })

  test('contains only what the service needs', async () => {
    const listed = await engineOk('run', '--rm', IMAGE, 'sh', '-c', 'ls; ls dist; ls node_modules')
    const names = listed.split(/\s+/)
    expect(names.slice(0, 4)).toEqual(['LICENSE', 'dist', 'node_modules', 'package.json'])
    for (const development of ['typescript', 'jest', 'vite', '@biomejs', 'bench', 'test']) {
      expect(names).not.toContain(development)
    }
  })
})
