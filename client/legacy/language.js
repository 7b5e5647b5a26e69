/* The language of the page (shared with the modern page), and its light or dark theme. */
;(($, Landfall) => {
  const KEY = 'landfall.language'
  const listeners = []
  let current = remembered() || preferred()

  function preferred() {
    const known = navigator.languages.map((tag) => tag.toLowerCase().split('-')[0]).find((tag) => Landfall.texts[tag])
    return known || 'en'
  }

  function remembered() {
    try {
      const value = localStorage.getItem(KEY)
      return Landfall.texts[value] ? value : null
    } catch {
      return null
    }
  }

  /** The text in the current language, with placeholders replaced by `values`. */
  Landfall.t = (key, values = {}) =>
    Landfall.texts[current][key].replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole))

  /** Calls `listener` after every change of the language. */
  Landfall.onLanguage = (listener) => listeners.push(listener)

  /** Writes every text of the page in the current language. */
  Landfall.showLanguage = () => {
    document.documentElement.lang = current === 'zh' ? 'zh-Hans' : 'en'
    document.title = Landfall.t('title')
    $('[data-text]').each((_, target) => {
      // WebUploader wraps the label of its picker and puts the file input on top.
      const label = $(target).find('.webuploader-pick')
      ;(label.length ? label : $(target)).text(Landfall.t(target.dataset.text))
      $(target).find('input[type=file]').attr('aria-label', Landfall.t(target.dataset.text))
    })
    $('[data-label]').each((_, target) => {
      $(target).attr('aria-label', Landfall.t(target.dataset.label))
    })
    $('button[data-language]').each((_, button) => {
      const chosen = button.dataset.language === current
      $(button).toggleClass('active', chosen).attr('aria-pressed', String(chosen))
    })
    for (const listener of listeners) listener()
  }

  function choose(language) {
    current = language
    try {
      localStorage.setItem(KEY, language)
    } catch {
      // Without storage, the choice lasts until the page is closed.
    }
    Landfall.showLanguage()
  }

  const dark = matchMedia('(prefers-color-scheme: dark)')
  const applyTheme = () => {
    document.documentElement.dataset.bsTheme = dark.matches ? 'dark' : 'light'
  }
  dark.addEventListener('change', applyTheme)
  applyTheme()

  $(() => {
    $('button[data-language]').on('click', (event) => choose(event.currentTarget.dataset.language))
    Landfall.showLanguage()
  })
})(window.jQuery, window.Landfall)
