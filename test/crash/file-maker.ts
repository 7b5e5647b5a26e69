import { bytesOf, MIB } from '../support/bytes.ts'
import { Random } from '../support/random.ts'
import { Join } from './join.ts'
import type { UploadModel } from './model.ts'
import { webUploaderFile } from './webuploader-requests.ts'

const LONGEST = 6 * MIB
const LONGEST_SMALL = 5_000
const MOST_PARTS = 4

export type Size = 'large' | 'small'

/** Creates files with unique names and bytes, and the ways in which clients cut them. */
export class FileMaker {
  readonly #seed: number
  readonly #pool: Buffer
  #random: Random
  #names = 0
  #lastTask = ''

  /**
   * @param seed determines names, sizes, and the fields of pages: two makers with the same one make files that only
   * their owners and bytes distinguish.
   * @param bytesSeed determines the bytes.
   */
  constructor(seed: number, bytesSeed: number) {
    this.#seed = seed
    this.#random = new Random(seed)
    this.#pool = bytesOf(LONGEST * 4, bytesSeed)
  }

  /** The name of the next file, which determines what follows. */
  name(): string {
    this.#names += 1
    this.#random = new Random((this.#seed + this.#names) >>> 0)
    return `file ${this.#names}.bin`
  }

  /** The file of a tus client. */
  content(size: Size): Buffer {
    const random = this.#random
    const longest = longestOf(size)
    // Mostly long ones, so kills occur while they are written.
    const least = random.chance(0.7) ? Math.ceil(longest / 16) : 1
    return this.#bytes(random.chance(0.05) ? 0 : random.size(least, longest))
  }

  webUploaderFile(size: Size): UploadModel {
    const name = this.name()
    const random = this.#random
    if (this.#lastTask === '' || !random.chance(0.2)) {
      this.#lastTask = `task-${random.whole(0, 2 ** 32)}-${this.#names}-of-a-page`
    }
    if (size === 'small' || random.chance(0.15)) {
      const content = this.#bytes(random.chance(0.05) ? 0 : random.size(1, Math.min(longestOf(size), MIB)))
      const chunkSize = random.chance(0.5) ? undefined : random.whole(Math.ceil(content.length / 3), content.length + 1)
      return webUploaderFile(name, content, this.#lastTask, chunkSize)
    }
    const chunkSize = random.size(1024, 300 * 1024)
    const content = this.#bytes(chunkSize * random.whole(1, 20) + random.whole(0, chunkSize - 1))
    return webUploaderFile(name, content, this.#lastTask, chunkSize)
  }

  /** A file in parts, of which some may be empty. */
  join(size: Size): Join {
    const name = this.name()
    const random = this.#random
    const content = this.content(size)
    const cuts = Array.from({ length: random.whole(0, MOST_PARTS - 1) }, () => random.whole(0, content.length))
    return new Join(name, content, [...cuts.sort((a, b) => a - b), content.length])
  }

  isSmall({ content }: Join): boolean {
    return content.length <= LONGEST_SMALL
  }

  #bytes(length: number): Buffer {
    const start = this.#random.whole(0, this.#pool.length - length)
    return this.#pool.subarray(start, start + length)
  }
}

function longestOf(size: Size): number {
  return size === 'large' ? LONGEST : LONGEST_SMALL
}
