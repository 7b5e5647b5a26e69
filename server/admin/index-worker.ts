/** The worker thread of the index: it answers one question after another. */
import { getHeapStatistics } from 'node:v8'
import { type MessagePort, parentPort } from 'node:worker_threads'
import type { IndexAnswers, IndexQuestion } from './index/rows.ts'
import { UploadIndex } from './index/upload-index.ts'

/** What the worker receives, and returns under the same number. */
export interface WorkerQuestion {
  readonly number: number
  readonly question: IndexQuestion
}

export interface WorkerAnswer {
  readonly number: number
  readonly answer: IndexAnswers[IndexQuestion['kind']] | 'bad_cursor'
}

function serve(port: MessagePort): void {
  const index = new UploadIndex()
  port.on('message', ({ number, question }: WorkerQuestion) => {
    const answer: WorkerAnswer = { number, answer: answerOf(index, question) }
    port.postMessage(answer)
  })
}

function answerOf(index: UploadIndex, question: IndexQuestion): WorkerAnswer['answer'] {
  switch (question.kind) {
    case 'apply':
      index.apply(question.changes)
      return undefined
    case 'page':
      return index.page(question.query) ?? 'bad_cursor'
    case 'get':
      return index.get(question.id)
    case 'amounts':
      return index.amounts()
    case 'stale':
      return index.stale(question.before)
    case 'unsettled':
      return index.unsettled(question.ids)
    case 'memory':
      return { heap: getHeapStatistics().total_heap_size, arrays: index.bytes }
  }
}

if (parentPort !== null) serve(parentPort)
