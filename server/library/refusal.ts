import type { Answer } from '../core/answer.ts'
import { Refusal as CoreRefusal } from '../core/answer.ts'
import { answer as schema } from './answers.ts'

/** Thrown by a function of the application to refuse a request, an upload, or a file. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly answer: Answer

  /**
   * @param message for the client: one sentence.
   * @param answer changes the response. A status of 5xx would make clients try again, and some report success then.
   * @throws ZodError if the answer has parts that no response can have.
   */
  constructor(message: string, answer: Answer = {}) {
    super(message)
    this.answer = schema.parse(answer)
  }

  /** The error of the core that the client receives. @param status unless the answer has one. */
  as(code: 'refused' | 'rejected', status: number): CoreRefusal {
    return new CoreRefusal(code, this.message, { status, ...this.answer })
  }
}
