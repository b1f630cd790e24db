import type { Evidence, Finding, LoggedFacts, ReceiverStory, Told } from './evidence.ts'
import { found } from './found.ts'

/** Whoever listens has heard everything, in order per payment, and each in its own words once. */
export function judgeTold({ log, receivers, followed }: Evidence): Finding[] {
  return [...receivers.flatMap((receiver) => judgeReceiver(receiver, log)), ...judgeFollower(followed, log)]
}

function judgeReceiver({ name, types, told, missing, changed, forged }: ReceiverStory, log: LoggedFacts): Finding[] {
  const heard = new Map(Object.entries(told))
  return [
    ...found('Webhooks', `${name}: sequences missing`, missing.map(String)),
    ...found('Webhooks', `${name}: payments not told as they were, in order`, unlike(heard, log, matching(types))),
    ...found('Webhooks', `${name}: messages that came again with other content`, changed > 0 ? [String(changed)] : []),
    ...found('Webhooks', `${name}: signatures that do not verify`, forged > 0 ? [String(forged)] : []),
  ]
}

function judgeFollower(followed: Told, log: LoggedFacts): Finding[] {
  const cases = unlike(followed, log, matching(['payment.*']))
  return found('Events', 'payments that the stream of events did not tell as they were, in order, once', cases)
}

function unlike(heard: Told, log: LoggedFacts, isWanted: (type: string) => boolean): string[] {
  const cases: string[] = []
  for (const [key, facts] of log) {
    const wanted = facts.filter(({ type }) => isWanted(type))
    const ids = heard.get(key) ?? []
    if (wanted.length === ids.length && wanted.every(({ id }, place) => id === ids[place])) continue
    cases.push(`${key}: ${difference(wanted, ids)}`)
  }
  const strangers = [...heard.keys()].filter((key) => !log.has(key)).map((key) => `${key}: is not on the log`)
  return [...cases, ...strangers]
}

function difference(wanted: readonly { id: string; type: string }[], ids: readonly string[]): string {
  const missing = wanted.filter(({ id }) => !ids.includes(id))
  if (missing.length > 0) return `missing ${missing.map(({ id, type }) => `${type} ${id}`).join(', ')}`
  return ids.length > wanted.length ? `${ids.length - wanted.length} too many` : 'out of order'
}

function matching(patterns: readonly string[]): (type: string) => boolean {
  return (type) =>
    patterns.some((pattern) => (pattern.endsWith('*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern))
}
