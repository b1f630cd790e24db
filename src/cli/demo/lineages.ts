import type { SimulatedGateway } from '#gateways/simulated'
import type { Random } from '#kernel/random'
import { addTo, type Books, newBooks } from './books.ts'
import { between, CURRENCIES, pick } from './stage.ts'

/** What the gateway did, as its own objects say, and what must become of each payment. */
export type Reported = { readonly books: Books; readonly statuses: ReadonlyMap<string, number> }

type Story = (gateway: SimulatedGateway, random: Random, books: Books) => string

/** Lets payments begin at the gateway, and go through what payments go through; then pays out. */
export function reportLineages(gateway: SimulatedGateway, random: Random, count: number): Reported {
  const books = newBooks()
  const statuses = new Map<string, number>()
  for (let made = 0; made < count; made += 1) {
    const status = storyFor(random.unit())(gateway, random, books)
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  for (const currency of CURRENCIES) {
    const payout = gateway.payout(currency)
    if (payout) addTo(books.paidOut, payout.currency, payout.amount)
  }
  return { books, statuses }
}

function storyFor(chance: number): Story {
  if (chance < 0.5) return sold
  if (chance < 0.6) return refundedWhole
  if (chance < 0.7) return refundedInParts
  if (chance < 0.75) return disputeWon
  if (chance < 0.8) return disputeLost
  if (chance < 0.85) return capturedInPart
  return chance < 0.9 ? released : declined
}

const sold: Story = (gateway, random, books) => {
  take(gateway, random, books)
  return 'captured'
}

const refundedWhole: Story = (gateway, random, books) => {
  const charge = take(gateway, random, books)
  giveBack(gateway, charge.id, charge.amount, books)
  return 'refunded'
}

const refundedInParts: Story = (gateway, random, books) => {
  const charge = take(gateway, random, books)
  const third = Math.floor(charge.amount / 3)
  giveBack(gateway, charge.id, third, books)
  giveBack(gateway, charge.id, third, books)
  return 'partially_refunded'
}

const disputeWon: Story = (gateway, random, books) => {
  const dispute = lose(gateway, random, books)
  const won = gateway.winDispute(dispute.id)
  addTo(books.reinstated, won.currency, won.amount)
  return 'captured'
}

const disputeLost: Story = (gateway, random, books) => {
  const lost = gateway.loseDispute(lose(gateway, random, books).id)
  addTo(books.lost, lost.currency, lost.amount)
  return 'disputed'
}

const capturedInPart: Story = (gateway, random, books) => {
  const intent = gateway.reportPayment({ ...money(random), captureMethod: 'manual' })
  const { latest_charge: charge } = gateway.capture(intent.id, Math.floor(intent.amount / 2))
  if (charge) {
    addTo(books.captured, charge.currency, charge.amount_captured)
    addTo(books.fees, charge.currency, charge.balance_transaction?.fee ?? 0)
  }
  return 'captured'
}

const released: Story = (gateway, random) => {
  gateway.cancel(gateway.reportPayment({ ...money(random), captureMethod: 'manual' }).id)
  return 'canceled'
}

const declined: Story = (gateway, random) => {
  gateway.reportPayment({ ...money(random), declineCode: 'insufficient_funds' })
  return 'failed'
}

function take(gateway: SimulatedGateway, random: Random, books: Books): { id: string; amount: number } {
  const { latest_charge: charge, amount } = gateway.reportPayment(money(random))
  if (charge) {
    addTo(books.captured, charge.currency, charge.amount_captured)
    addTo(books.fees, charge.currency, charge.balance_transaction?.fee ?? 0)
  }
  return { id: charge?.id ?? '', amount }
}

function giveBack(gateway: SimulatedGateway, charge: string, amount: number, books: Books): void {
  const refund = gateway.refund(charge, amount)
  addTo(books.refunded, refund.currency, refund.amount)
}

function lose(gateway: SimulatedGateway, random: Random, books: Books) {
  const dispute = gateway.dispute(take(gateway, random, books).id)
  addTo(books.disputed, dispute.currency, dispute.amount)
  for (const { fee } of dispute.balance_transactions) addTo(books.fees, dispute.currency, fee)
  return dispute
}

function money(random: Random): { amount: number; currency: string } {
  return { amount: between(random, 3_000, 40_000), currency: pick(random, CURRENCIES).toLowerCase() }
}
