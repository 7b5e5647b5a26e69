import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { type TemporaryFolder, temporaryFolder } from './support/folder.ts'

const CHANGELOG = `# Changelog

## Unreleased

### Storage

- #1: a fix. **Breaking**: a setting.

## 0.1.0 (2026-01-02)

- The first one.
`

let folder: TemporaryFolder
beforeEach(async () => {
  folder = await temporaryFolder()
  const manifest = JSON.stringify({ name: 'landfall', version: '0.1.0' })
  await writeFile(path.join(folder.path, 'package.json'), manifest)
  await writeFile(path.join(folder.path, 'package-lock.json'), manifest)
  await writeFile(path.join(folder.path, 'CHANGELOG.md'), CHANGELOG)
  git('init', '--quiet')
  git('config', 'user.name', 'Release Test')
  git('config', 'user.email', 'test@example.com')
  commit()
})
afterEach(() => folder.dispose())

/** Runs a script of the repository in the folder. */
function script(name: string, ...args: string[]): { status: number | null; out: string; errors: string } {
  const file = fileURLToPath(new URL(`../scripts/${name}.mjs`, import.meta.url))
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], {
    cwd: folder.path,
    encoding: 'utf8',
    env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null' },
  })
  return { status, out: stdout, errors: stderr }
}

function git(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('git', args, {
    cwd: folder.path,
    encoding: 'utf8',
    env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null' },
  })
  if (status !== 0) throw new Error(stderr)
  return stdout.trim()
}

function commit(): void {
  git('add', '--all')
  git('commit', '--quiet', '--message', 'a change')
}

const contentOf = (name: string): Promise<string> => readFile(path.join(folder.path, name), 'utf8')

describe('scripts/tag-release.mjs', () => {
  it('commits the version and its changes, and tags the commit with them', async () => {
    const { status, out } = script('tag-release', '0.2.0')
    expect([status, out]).toEqual([0, expect.stringContaining('v0.2.0 is NOT signed')])
    expect(git('log', '--format=%s', '-1')).toBe('release: 0.2.0')
    expect(git('status', '--porcelain')).toBe('')
    expect(git('describe', '--exact-match')).toBe('v0.2.0')
    expect(git('tag', '--list', '--format=%(contents)', 'v0.2.0')).toBe(
      'Landfall 0.2.0\n\n### Storage\n\n- #1: a fix. **Breaking**: a setting.',
    )
    expect(JSON.parse(await contentOf('package.json'))).toMatchObject({ version: '0.2.0' })
    expect(await contentOf('CHANGELOG.md')).toMatch(
      /^# Changelog\n\n## Unreleased\n\n## 0\.2\.0 \(\d{4}-\d\d-\d\d\)\n\n### Storage\n/,
    )
    expect(script('changelog', '0.2.0').out).toBe('### Storage\n\n- #1: a fix. **Breaking**: a setting.\n')
  })

  it('signs the tag if git has a key', async () => {
    // In the place of gpg.
    const signer = path.join(folder.path, '.git', 'signer')
    await writeFile(signer, '#!/bin/sh\ncat >/dev/null\necho "[GNUPG:] SIG_CREATED " >&2\necho "a signature"\n')
    await chmod(signer, 0o755)
    git('config', 'gpg.program', signer)
    git('config', 'user.signingKey', 'A1B2C3D4')
    expect(script('tag-release', '1.0.0').out).toContain('v1.0.0 is signed')
    expect(git('cat-file', 'tag', 'v1.0.0')).toMatch(/a signature$/)
  })

  it('changes nothing in a dry run', async () => {
    const { status, out } = script('tag-release', '0.2.0', '--dry-run')
    expect([status, out]).toEqual([0, expect.stringContaining('#1: a fix')])
    expect([git('status', '--porcelain'), git('tag'), await contentOf('CHANGELOG.md')]).toEqual(['', '', CHANGELOG])
  })

  it.each([
    ['2.0', 'Name one version'],
    ['0.1.0', '0.1.0 is not after 0.1.0'],
    ['0.0.9', '0.0.9 is not after 0.1.0'],
    ['0.1.0-rc.1', '0.1.0-rc.1 is not after 0.1.0'],
  ])('refuses the version %s', (version, sentence) => {
    const { status, errors } = script('tag-release', version)
    expect([status, errors]).toEqual([1, expect.stringContaining(sentence)])
  })

  it('refuses changes that are not committed, a tag that exists, and a changelog without changes', async () => {
    await writeFile(path.join(folder.path, 'new'), '')
    expect(script('tag-release', '0.2.0').errors).toContain('not committed')
    commit()
    git('tag', 'v0.2.0')
    expect(script('tag-release', '0.2.0').errors).toContain('There is a tag v0.2.0 already.')
    await writeFile(path.join(folder.path, 'CHANGELOG.md'), CHANGELOG.replace(/### Storage[\s\S]*?(?=## 0)/, ''))
    commit()
    expect(script('tag-release', '0.3.0').errors).toContain('nothing below Unreleased')
  })
})

it('scripts/changelog.mjs refuses a version that the changelog does not have', () => {
  expect(script('changelog', '0.1.0').out).toBe('- The first one.\n')
  expect(script('changelog', '0.1').status).toBe(1)
  expect(script('changelog', '9.9.9').errors).toContain('CHANGELOG.md says nothing about "9.9.9".')
})

it('scripts/provenance.mjs states the digest of each file, the commit, and its tag', async () => {
  await mkdir(path.join(folder.path, 'out'))
  await writeFile(path.join(folder.path, 'out', 'landfall.tgz'), 'content')
  git('tag', '--annotate', '--message', 'x', 'v0.1.0')
  const statement = z
    .object({
      _type: z.literal('https://in-toto.io/Statement/v1'),
      subject: z.array(z.object({ name: z.string(), digest: z.object({ sha256: z.string() }) })),
      predicateType: z.literal('https://slsa.dev/provenance/v1'),
      predicate: z.object({
        buildDefinition: z.object({
          buildType: z.url(),
          externalParameters: z.object({ tag: z.string() }),
          resolvedDependencies: z.tuple([
            z.object({ digest: z.object({ gitCommit: z.string() }) }),
            z.object({ name: z.literal('package-lock.json'), digest: z.object({ sha256: z.string() }) }),
          ]),
        }),
        runDetails: z.object({ builder: z.object({ id: z.url() }) }),
      }),
    })
    .parse(JSON.parse(script('provenance', 'out').out))
  const sha256 = createHash('sha256').update('content').digest('hex')
  expect(statement.subject).toEqual([{ name: 'landfall.tgz', digest: { sha256 } }])
  const { externalParameters, resolvedDependencies } = statement.predicate.buildDefinition
  expect(externalParameters.tag).toBe('v0.1.0')
  expect(resolvedDependencies[0].digest.gitCommit).toBe(git('rev-parse', 'HEAD'))
})

it('scripts/components.mjs leaves no reference that is no URL', async () => {
  const references = (...urls: string[]) => ({ externalReferences: urls.map((url) => ({ type: 'vcs', url })) })
  const urls = ['git@example.com:owner/name.git', 'https://example.com/x', 'github:owner/name', 'not a URL']
  const list = { specVersion: '1.5', metadata: { component: references('ssh://git@example.com/x') } }
  const written = { ...list, components: [{ name: 'a', ...references(...urls) }, { name: 'b' }] }
  await writeFile(path.join(folder.path, 'list.json'), JSON.stringify(written))
  expect(JSON.parse(script('components', 'list.json').out)).toEqual({
    ...list,
    components: [
      {
        name: 'a',
        ...references('ssh://git@example.com/owner/name.git', 'https://example.com/x', 'github:owner/name'),
      },
      { name: 'b' },
    ],
  })
})
