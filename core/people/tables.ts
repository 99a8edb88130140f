export interface PeopleTables {
  /**
   * live (wrapped) ─► destroyed (wrapped is null)
   *
   * A person has at most one live key. Destroyed ones stay, so that what arrives late about an erased person is known.
   */
  subject_keys: {
    key_id: string;
    merchant_id: string;
    /** Pseudonym of the person. */
    subject: Buffer;
    master_id: string;
    wrapped: Buffer | null;
    created_at: Date;
    destroyed_at: Date | null;
  };
}
