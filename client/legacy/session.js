/* Who the visitor is: takes the token from the address of the page, and asks the service what it allows. */
;(($, Landfall) => {
  /** The session of a service that knows none. */
  const WITHOUT = { auth: 'none', limits: {} }
  const ASK_AGAIN_AFTER_MS = 2_000
  const MIN_RENEWAL_MS = 60_000
  const listeners = []
  let current = WITHOUT
  let isKnown = false
  // In memory only. A pending token replaces the accepted one once the service has accepted that.
  let token = null
  let pending = null

  const authorization = (value) => (value === null ? {} : { Authorization: `Bearer ${value}` })

  async function ask(offered) {
    for (;;) {
      try {
        return await $.ajax({ url: 'session', dataType: 'json', headers: authorization(offered) })
      } catch ({ status }) {
        if (status === 404) return WITHOUT
        // A proxy in front authenticates by itself.
        if (status === 401) return { ...current, auth: 'forward', signedIn: false }
      }
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_AFTER_MS))
    }
  }

  async function refresh() {
    const offered = pending ?? token
    const found = await ask(offered)
    if (offered !== (pending ?? token)) return refresh()
    pending = null
    const isSignedIn = found.auth === 'none' || found.signedIn
    // A token that the service does not accept must not end a valid session.
    if (isKnown && !isSignedIn && offered !== token && !Landfall.session.isSignedOut()) return
    isKnown = true
    token = found.auth === 'none' ? null : offered
    current = isSignedIn ? found : { ...current, auth: found.auth, signedIn: false }
    for (const listener of listeners) listener()
  }

  /** Calls `show` with a read-only link to a finished file, and again with each later one: links expire. */
  async function keepLink(url, show) {
    try {
      const link = await $.post({ url: `${url}/link`, dataType: 'json', headers: authorization(token) })
      show(link.url)
      // The clock of the browser may be wrong.
      setTimeout(keepLink, Math.max(MIN_RENEWAL_MS, (link.expires * 1000 - Date.now()) / 2), url, show)
    } catch ({ status }) {
      if (![403, 404, 410].includes(status)) setTimeout(keepLink, MIN_RENEWAL_MS, url, show)
    }
  }

  /** Moves the token from the fragment, which browsers never send, into memory. */
  function takeToken() {
    const found = new URLSearchParams(location.hash.slice(1)).get('token')
    if (found === null) return false
    history.replaceState(history.state, '', location.pathname + location.search)
    pending = found
    return true
  }

  Landfall.session = {
    isSignedOut: () => current.auth !== 'none' && !current.signedIn,

    /** `undefined` if the visitor is anonymous. */
    owner: () => current.owner,

    /** The sizes, types, and the quota that the service allows. */
    limits: () => current.limits ?? {},

    /** The headers that authenticate a request. Without a token, there may be a cookie. */
    headers: () => authorization(token),

    /** The same for a chunk, as a form field if the service has one. */
    fields: () => (token !== null && current.field ? { [current.field]: token } : {}),

    refresh,

    /** Calls `show` with links to a finished file that give no right to change it; not if the service has none. */
    showLink(url, show) {
      if (current.downloads === undefined) show(url)
      else if (current.downloads !== 'off') void keepLink(url, show)
    },

    /** Calls `listener` after every response about the session. */
    onChange: (listener) => listeners.push(listener),
  }

  window.addEventListener('hashchange', () => {
    if (takeToken()) void refresh()
  })
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && current.auth !== 'none') void refresh()
  })
  takeToken()
  /** Settles when the session is known. */
  Landfall.session.known = refresh()
})(window.jQuery, window.Landfall)
