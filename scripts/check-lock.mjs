// `node scripts/check-lock.mjs [file]`: whether package-lock.json has the digest of every package that the image
// installs, in the build stage or for the service. Exits with 1 if one is missing.
import { readFileSync } from 'node:fs'

const [file = 'package-lock.json'] = process.argv.slice(2)
const { packages } = JSON.parse(readFileSync(file, 'utf8'))

/** Whether npm installs the package on the platforms of the image: Linux with glibc, on x64 or arm64. */
function isForImage({ os = ['linux'], cpu = ['x64'], libc = ['glibc'] }) {
  return os.includes('linux') && libc.includes('glibc') && (cpu.includes('x64') || cpu.includes('arm64'))
}

const installed = Object.entries(packages).filter(([folder]) => folder !== '')
const without = installed.filter(([, { integrity }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ''))
const faulty = without.filter(([, entry]) => isForImage(entry))
if (faulty.length > 0) {
  console.error(`${file} has no SHA-512 digest of ${faulty.map(([folder]) => folder).join(', ')}.`)
  process.exit(1)
}
const atRuntime = installed.filter(([, { dev, optional }]) => !dev && !optional)
console.log(
  `${file}: ${installed.length} packages, ${atRuntime.length} of them for the service. ` +
    `All that the image installs have a SHA-512 digest; ${without.length} binaries for other platforms have none.`,
)
