import { Refusal } from '#kernel/errors'
import type { Mode } from '#kernel/ids'
import type { AddressGuard } from '#kernel/ssrf'

/**
 * Refuses what could never be called, when it is written down: a name is looked up only when it is called, each time.
 * @throws Refusal `webhook_url_refused`.
 */
export function checkedUrl(text: string, mode: Mode, guard: AddressGuard): URL {
  if (!URL.canParse(text)) throw refused('url must be an address, as in https://example.com/webhooks')
  const url = new URL(text)
  const isSecure = url.protocol === 'https:'
  if (!isSecure && url.protocol !== 'http:') throw refused('url must begin with https://')
  if (url.username !== '' || url.password !== '') throw refused('url must not hold a user name or password')
  if (url.hash !== '') throw refused('url must not have a fragment: it is never sent')
  if (guard.refuses(url.hostname)) throw refused('url must not lead to a private, local or reserved address')
  if (!isSecure && mode === 'live' && !guard.allows(url.hostname))
    throw refused('url must begin with https:// in live mode')
  return url
}

function refused(detail: string): Refusal {
  return new Refusal('webhook_url_refused', { field: 'url', detail })
}
