import { type JsonObject, objectAt } from './json.ts'
import { type DigestId, idAt } from './safe.ts'

export type Parents = { readonly charge: string | undefined; readonly intent: string | undefined }

/** What a refund or a dispute belongs to. An expanded charge knows its intent also where they do not say it. */
export function parentsOf(object: JsonObject, digest: DigestId): Parents {
  const expanded = objectAt(object, 'charge')
  return {
    charge: idAt(object, 'charge', digest),
    intent: idAt(object, 'payment_intent', digest) ?? (expanded && idAt(expanded, 'payment_intent', digest)),
  }
}

/** An object's own parents, nearest first, then those that only the objects around it know. */
export function joinParents(own: readonly (string | undefined)[], around: readonly string[]): string[] {
  return [...new Set([...own.filter((id) => id !== undefined), ...around])]
}
