import { servicePresent } from './presence.ts'
import { parseSession, type Session, WITHOUT_SESSIONS } from './session-response.ts'
import { sessionUrl } from './settings.ts'

/** How long to wait before asking again after an unexpected response, in milliseconds. */
const ASK_AGAIN_AFTER = 2000

const listeners = new Set<() => void>()
let current: Session | null = null
/** The accepted token, in memory only. A `pending` one replaces it once the service has accepted that. */
let token: string | null = null
let pending: string | null = null
let asking: { readonly offered: string | null; readonly done: Promise<void> } | null = null
/** Resolve the promises of `firstSession`, and of `signedInAgain`. */
let expectant: (() => void)[] = []
let signedOut: (() => void)[] = []

/** Takes the token from the address of the page, and asks the service for the session. Call it once. */
export function startSession(): void {
  window.addEventListener('hashchange', () => {
    if (takeToken()) void refreshSession()
  })
  // The visitor may have signed in, or out, in another tab.
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && current !== null && current.auth !== 'none') void refreshSession()
  })
  takeToken()
  void refreshSession()
}

/** The session; null until the service has responded. */
export function currentSession(): Session | null {
  return current
}

/** Resolves as soon as the session is known. */
export async function sessionKnown(): Promise<void> {
  if (current === null) await new Promise<void>((resolve) => expectant.push(resolve))
}

/** Calls `listener` after every response about the session. */
export function onSession(listener: () => void): void {
  listeners.add(listener)
}

/** Whether the service asks for credentials that the visitor lacks. */
export function isSignedOut(): boolean {
  return current !== null && !current.signedIn
}

/** The headers that authenticate a request. Without a token, there may be a cookie. */
export function credentials(): Readonly<Record<string, string>> {
  return authorization(token)
}

/** Asks for the session again. Resolves when the response to the newest token is in effect. */
export async function refreshSession(): Promise<void> {
  const offered = pending ?? token
  if (asking === null || asking.offered !== offered) asking = { offered, done: load(offered) }
  const mine = asking
  await mine.done
  if (asking === mine) asking = null
  else if (asking !== null) await asking.done
}

/** After a 401: waits until the visitor is signed in. Returns whether that was necessary. */
export async function signedInAgain(): Promise<boolean> {
  await refreshSession()
  if (!isSignedOut()) return false
  await new Promise<void>((resolve) => signedOut.push(resolve))
  return true
}

async function load(offered: string | null): Promise<void> {
  const found = await ask(offered)
  if (offered !== (pending ?? token)) return
  pending = null
  // A token that the service does not accept must not end a valid session.
  if (!found.signedIn && offered !== token && current?.signedIn) return
  token = found.auth === 'none' ? null : offered
  current = found.signedIn || current === null ? found : { ...current, auth: found.auth, signedIn: false }
  for (const listener of listeners) listener()
  expectant = resolveAll(expectant)
  if (current.signedIn) signedOut = resolveAll(signedOut)
}

function resolveAll(waiting: readonly (() => void)[]): [] {
  for (const resolve of waiting) resolve()
  return []
}

/** Moves the token from the fragment, which browsers never send, into memory. Returns whether there was one. */
function takeToken(): boolean {
  const found = new URLSearchParams(location.hash.slice(1)).get('token')
  if (found === null) return false
  history.replaceState(history.state, '', location.pathname + location.search)
  pending = found
  return true
}

function authorization(value: string | null): Readonly<Record<string, string>> {
  return value === null ? {} : { Authorization: `Bearer ${value}` }
}

/** Asks until the service responds. */
async function ask(offered: string | null): Promise<Session> {
  for (;;) {
    const response = await fetch(sessionUrl, { headers: authorization(offered), cache: 'no-store' }).catch(() => null)
    if (response?.ok) return parseSession(await response.text().catch(() => ''))
    if (response?.status === 404) return WITHOUT_SESSIONS
    // A proxy in front authenticates by itself.
    if (response?.status === 401) return { ...WITHOUT_SESSIONS, auth: 'forward', signedIn: false }
    if (!(await servicePresent())) await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_AFTER))
  }
}
