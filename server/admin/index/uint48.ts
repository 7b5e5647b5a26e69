const HIGH = 2 ** 32

/** The largest number; a larger one becomes this one. */
const MAX = 2 ** 48 - 1

/** Whole numbers from 0 on below 2^48 (times in milliseconds, sizes in bytes), in 6 bytes each. */
export class Uint48Column {
  #low: Uint32Array
  #high: Uint16Array

  constructor(capacity: number) {
    this.#low = new Uint32Array(capacity)
    this.#high = new Uint16Array(capacity)
  }

  /** Bytes of its arrays. */
  get bytes(): number {
    return this.#low.byteLength + this.#high.byteLength
  }

  get(slot: number): number {
    return (this.#high[slot] ?? 0) * HIGH + (this.#low[slot] ?? 0)
  }

  set(slot: number, value: number): void {
    const whole = Math.min(MAX, Math.max(0, Math.floor(value)))
    this.#low[slot] = whole % HIGH
    this.#high[slot] = Math.floor(whole / HIGH)
  }

  grow(capacity: number): void {
    const [low, high] = [new Uint32Array(capacity), new Uint16Array(capacity)]
    low.set(this.#low)
    high.set(this.#high)
    this.#low = low
    this.#high = high
  }
}
