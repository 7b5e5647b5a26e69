// A disk on which every operation is delayed, before it is done and before it returns, so a kill can occur in between.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { setTimeout as pause } from 'node:timers/promises'

/** Milliseconds. Most operations take far less: the few long ones change the order. */
const LONGEST = 25
/** How long one write in HELD_ONCE_IN is delayed, in milliseconds: concurrent writes complete long before it. */
const HELD = 60
const HELD_ONCE_IN = 8

/** Slows the disk down, for the whole process. */
export async function slowDown() {
  const file = await fs.promises.open(process.execPath, 'r')
  const handle = Object.getPrototypeOf(file)
  await file.close()
  for (const name of ['write', 'writev']) slow(handle, name, delayOfWrite)
  for (const name of ['writeFile', 'datasync', 'sync', 'truncate']) slow(handle, name, delay)
  for (const name of ['rename', 'rm', 'mkdir', 'writeFile']) slow(fs.promises, name, delay)
  syncBuiltinESMExports()
}

function slow(owner, name, before) {
  const fast = owner[name]
  owner[name] = async function (...parameters) {
    await pause(before())
    try {
      return await fast.apply(this, parameters)
    } finally {
      await pause(delay())
    }
  }
}

function delay() {
  return LONGEST * Math.random() ** 3
}

function delayOfWrite() {
  return Math.random() < 1 / HELD_ONCE_IN ? HELD : delay()
}
