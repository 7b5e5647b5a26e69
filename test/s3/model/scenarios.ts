import { storedPiece } from './bucket.ts'
import type { Scenario } from './terms.ts'

/** Larger bounds by the environment: more nodes, which takes minutes. */
const MORE = Number(process.env['MODEL_NODES'] ?? 0)

const holder = { at: 'ready', term: 1, puts: 2, opens: 1 } as const
const takers = Array.from({ length: 1 + MORE }, () => ({ puts: 1 }))

/** A byte of term 1 that was acknowledged. */
const stored = storedPiece({ term: 1, index: 0, isLast: true, isCover: false, start: 0 }, 1, [1])

/** Answers are lost: a node opens the upload again whenever it cannot know what counts. */
export const LOST_ANSWERS: Scenario = { places: 2, nodes: [holder, ...takers], losesAnswers: true }

/** Clients ask nodes for the offset. */
export const REPORTS: Scenario = { places: 2, nodes: [{ ...holder, opens: 0 }, ...takers], reports: true }

/** Covers replace pieces, the file is composed, and everything else is deleted. */
export const COVERS: Scenario = {
  places: 2,
  nodes: [{ ...holder, opens: 0 }, ...takers.map((node) => ({ ...node, puts: 2 }))],
  covers: true,
  finishes: true,
  reports: true,
}

/** A node reports the offset of an upload that others write. */
export const READER: Scenario = {
  places: 2,
  nodes: [{ ...holder, opens: 0, covers: 1 }, ...takers.map((node) => ({ ...node, covers: 1 }))],
  covers: true,
  reader: true,
}

/** Attempts of two pieces arrive while two nodes open the upload. */
export const SLOW_OPENERS: Scenario = {
  places: 2,
  nodes: [{ ...holder, puts: 1, opens: 0 }, { puts: 0 }, ...takers.map(() => ({ puts: 0 }))],
  pairs: true,
}

/** Two days pass, after which claims of finished uploads are deleted. */
export const LONG_SLEEP: Scenario = {
  places: 2,
  nodes: [{ puts: 1 }, ...takers.map(() => ({ puts: 0 }))],
  s3: { pieces: [stored] },
  acknowledged: [1],
  finishes: true,
  reports: true,
  sleeps: true,
}

/** A writer sleeps while another node finishes the upload. */
export const SLEEPING_WRITER: Scenario = {
  places: 2,
  nodes: [{ ...holder, counted: [stored], puts: 1, opens: 0 }, ...takers],
  s3: { pieces: [stored] },
  acknowledged: [1],
  finishes: true,
  reports: true,
  sleeps: true,
}

/** An opener sleeps until the claim that it will write has been deleted, as have those after it but the newest. */
export const SLEEPING_OPENER: Scenario = {
  places: 2,
  nodes: [
    { at: 'ready', term: 4, counted: [stored], puts: 1 },
    { at: 'claiming', term: 2, puts: 1 },
  ],
  s3: {
    claims: [1, 2, 3, 4].map((term) => ({ term, day: 0 })),
    manifests: [{ term: 4, names: [stored.piece.name], isLeaving: false }],
    pieces: [stored],
  },
  acknowledged: [1],
  reports: true,
  sleeps: true,
}

/** An idle upload expires while its client comes back. */
export const EXPIRY: Scenario = {
  places: 2,
  nodes: [{ ...holder, opens: 0 }, ...takers],
  removal: 'expiry',
  reports: true,
}

/** A client deletes an upload while another node finishes it. */
export const DELETION: Scenario = {
  places: 1,
  nodes: [{ ...holder, puts: 1, opens: 0 }, ...takers],
  removal: 'deletion',
  finishes: true,
}
