/** The token is kept until the tab is closed, and never in an address, a cookie, or `localStorage`. */
const STORAGE_KEY = 'landfall.admin-token'

let inMemory: string | null = null

/** The token of this tab. */
export function keptToken(): string | null {
  try {
    return sessionStorage.getItem(STORAGE_KEY) ?? inMemory
  } catch {
    return inMemory
  }
}

export function keepToken(token: string): void {
  inMemory = token
  try {
    sessionStorage.setItem(STORAGE_KEY, token)
  } catch {
    // Without storage, the token lasts until the page is loaded again.
  }
}

export function forgetToken(): void {
  inMemory = null
  try {
    sessionStorage.removeItem(STORAGE_KEY)
  } catch {
    // It was never stored.
  }
}
