// `node scripts/provenance.mjs FOLDER`: prints a statement (in-toto, with SLSA provenance 1.0) about the files in a
// folder: their digests, the commit that they were made of, and what made them. It needs no network, and is not signed:
// release.yml adds an attestation that is.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

/** @param started when the build began. */
export function provenanceOf(folder, started, environment = process.env) {
  const { GITHUB_SERVER_URL: host, GITHUB_REPOSITORY: repository, GITHUB_WORKFLOW_REF: workflow } = environment
  const isCi = host !== undefined && repository !== undefined && workflow !== undefined
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: readdirSync(folder)
      .sort()
      .map((name) => ({ name, digest: { sha256: sha256(path.join(folder, name)) } })),
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'urn:landfall:scripts:release:1',
        externalParameters: { tag: git('describe', '--tags', '--exact-match', 'HEAD') ?? null },
        internalParameters: { node: process.version, platform: `${process.platform}-${process.arch}` },
        resolvedDependencies: [
          {
            uri: isCi ? `git+${host}/${repository}` : 'urn:landfall:source',
            digest: { gitCommit: git('rev-parse', 'HEAD') },
          },
          { name: 'package-lock.json', digest: { sha256: sha256('package-lock.json') } },
        ],
      },
      runDetails: {
        builder: { id: isCi ? `${host}/${workflow}` : 'urn:landfall:builder:local' },
        metadata: {
          ...(isCi && { invocationId: `${host}/${repository}/actions/runs/${environment.GITHUB_RUN_ID}` }),
          startedOn: started.toISOString(),
          finishedOn: new Date().toISOString(),
        },
      },
    },
  }
}

function sha256(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}

/** @returns the output of git, or `undefined` if it fails. */
function git(...args) {
  const { status, stdout } = spawnSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  return status === 0 ? stdout.trim() : undefined
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [folder] = process.argv.slice(2)
  if (folder === undefined) {
    console.error('Name the folder with the files of the release.')
    process.exit(1)
  }
  console.log(JSON.stringify(provenanceOf(folder, new Date()), null, 2))
}
