/* Shows what the visitor may upload, and lets files wait for a sign-in. */
;(($, WebUploader, Landfall) => {
  /** Files that were refused so often in a row do not wait for a sign-in any more. */
  const MAX_REFUSALS = 3
  const waiting = new Map()
  const refusals = new Map()
  let wasSignedIn = false

  Landfall.signIn = {
    /**
     * Calls `resume` when the visitor has signed in, after a request of a file was refused. Returns whether it will do
     * so: a visitor who is signed in, but refused again and again, lacks something else.
     */
    await(file, resume) {
      const refused = (refusals.get(file.id) ?? 0) + 1
      if (refused > MAX_REFUSALS) return false
      refusals.set(file.id, refused)
      waiting.set(file.id, resume)
      Landfall.session.refresh()
      return true
    },

    /** A request of the file was accepted. */
    accepted: (file) => refusals.delete(file.id),
  }

  function limitsText() {
    const { maxSize, types, quota, used = 0 } = Landfall.session.limits()
    const size = (bytes) => WebUploader.formatSize(bytes)
    const texts = [
      maxSize !== undefined && Landfall.t('limit-size', { size: size(maxSize) }),
      types?.length > 0 && types.join(Landfall.t('comma')),
      quota !== undefined && Landfall.t('limit-quota', { used: size(used), quota: size(quota) }),
    ]
    return texts.filter(Boolean).join(' · ')
  }

  function render() {
    const isOut = Landfall.session.isSignedOut()
    if (!isOut) wasSignedIn = true
    $('#limits').text(limitsText())
    $('#sign-in').prop('hidden', !isOut)
    const text = isOut ? Landfall.t(wasSignedIn ? 'expired' : 'signed-out') : ''
    if ($('#sign-in-text').text() !== text) $('#sign-in-text').text(text)
  }

  function resumeAll() {
    if (Landfall.session.isSignedOut()) return
    const resumed = [...waiting.values()]
    waiting.clear()
    for (const resume of resumed) resume()
  }

  Landfall.session.onChange(() => {
    render()
    resumeAll()
  })
  Landfall.onLanguage(() => Landfall.session.known.then(render))
  $('#sign-in-retry').on('click', () => Landfall.session.refresh())
})(window.jQuery, window.WebUploader, window.Landfall)
