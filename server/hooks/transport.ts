import type { HookCall } from './hook-call.ts'
import type { HookResponse } from './hook-response.ts'

/** How hooks reach their receiver. */
export interface Transport {
  /** Maximum calls at once. */
  readonly concurrency: number
  /**
   * Calls the receiver, again if that can help.
   *
   * @param signal ends the call.
   * @throws Error for the log when there is no valid response.
   */
  invoke(call: HookCall, signal: AbortSignal): Promise<HookResponse>
  /** Ends what is open. Nothing is called afterwards. */
  close(): void
}
