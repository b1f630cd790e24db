import { type RecordedEvent, withoutSealed } from '#log'

/** What every payload is made of: the event as it is on the log, and nothing that was read later. */
type Source = Pick<RecordedEvent, 'id' | 'type' | 'key' | 'time' | 'mode' | 'data'>

/**
 * Shapes of payload by the day on which they were introduced. An endpoint keeps the one it was made with; an older one
 * stays here for as long as an endpoint has it.
 */
const versions = {
  '2026-11-21': (event: Source) => ({
    id: event.id,
    type: event.type,
    timestamp: new Date(event.time).toISOString(),
    mode: event.mode,
    subject: event.key,
    data: withoutSealed(event.data),
  }),
} as const satisfies Record<string, (event: Source) => object>

export type PayloadVersion = keyof typeof versions
export const payloadVersions = Object.keys(versions) as [PayloadVersion]
export const NEWEST_VERSION: PayloadVersion = '2026-11-21'

export function isPayloadVersion(text: string): text is PayloadVersion {
  return Object.hasOwn(versions, text)
}

/** The payload as it is signed, sent, kept and pulled: the same bytes each time. */
export function payloadOf(event: Source, version: PayloadVersion): string {
  return JSON.stringify(versions[version](event))
}
