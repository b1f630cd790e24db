/** Enough digits for 2^53, so that ids sort as their numbers do. */
const DIGITS = 16

export const DESTINATIONS = 'webhooks'

export function destinationOf(endpoint: string): string {
  return `${DESTINATIONS}/${endpoint}`
}

export function endpointOf(destination: string): string {
  return destination.slice(DESTINATIONS.length + 1)
}

/** Deliveries of an endpoint stand side by side, those of a message next to each other, in order of sequence. */
export function deliveryId(endpoint: string, sequence: number, round: string): string {
  return `${messagePrefix(endpoint, sequence)}/${round}`
}

export function messagePrefix(endpoint: string, sequence: number): string {
  return `${endpoint}/${String(sequence).padStart(DIGITS, '0')}`
}

export function sequenceOf(delivery: string): number {
  return Number(delivery.split('/')[1])
}

/** Bounds of ids: whatever is of the endpoint; and of it, whatever comes up to a sequence. */
export function idsOf(endpoint: string, upTo?: number): { from: string; to: string } {
  return { from: `${endpoint}/`, to: upTo === undefined ? `${endpoint}0` : messagePrefix(endpoint, upTo + 1) }
}
