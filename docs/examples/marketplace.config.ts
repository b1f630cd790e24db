// A marketplace as millrace.config.ts: what is opened for each seller, and what a sale between wallets books.
export default {
  ledger: {
    charts: {
      seller: {
        parameters: ['merchant'],
        accounts: [
          { id: 'seller:{merchant}', type: 'liability', metadata: { kind: 'group' } },
          {
            id: 'seller:{merchant}:reserve',
            type: 'liability',
            parent: 'seller:{merchant}',
            currency: 'EUR',
            floor: 0,
          },
          { id: 'merchant:{merchant}:payable', type: 'liability', parent: 'seller:{merchant}', guarded: true },
        ],
      },
    },
    templates: {
      marketplace_sale: {
        version: 2,
        parameters: { buyer: 'word', seller: 'word', amount: 'amount', rate: 'basis_points', currency: 'currency' },
        transfers: [
          {
            debit: 'wallet:{buyer}',
            amount: '{amount}',
            currency: '{currency}',
            credit: [
              { account: 'fees', basisPoints: '{rate}' },
              { account: 'wallet:{seller}', remaining: true },
            ],
          },
        ],
        conditions: [{ account: 'wallet:{buyer}', currency: '{currency}', atLeast: '{amount}' }],
      },
    },
  },
}
