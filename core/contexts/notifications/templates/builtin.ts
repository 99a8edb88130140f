import type { TemplateSource } from './render.ts';

/** What notifications are about. Merchants prefer channels by category; the last two are sent whatever they prefer. */
export const categories = ['campaigns', 'platform', 'integrations', 'affiliates', 'billing', 'security'] as const;
export type Category = (typeof categories)[number];

export const isMandatory = (category: string): boolean => category === 'billing' || category === 'security';

export interface BuiltinTemplate {
  templateId: string;
  category: Category;
  /** Raised with every change of a text, so that a notification says which one it was made of. */
  version: number;
  /** By locale; English is there always. SMS takes `text` alone. */
  texts: Readonly<Record<string, TemplateSource>> & { readonly en: TemplateSource };
}

/** Templates that every merchant has until it writes its own under the same id. */
export const builtinTemplates: readonly BuiltinTemplate[] = [
  {
    templateId: 'payment-failed',
    category: 'billing',
    version: 1,
    texts: {
      en: {
        subject: 'Payment of invoice {{ invoiceNumber }} failed',
        text: 'We could not collect {{ amount }} for invoice {{ invoiceNumber }}. We try again on {{ nextAttempt }}. Please check your means of payment.',
        html: '<p>We could not collect <strong>{{ amount }}</strong> for invoice {{ invoiceNumber }}.</p><p>We try again on {{ nextAttempt }}. Please check your means of payment.</p>',
      },
      de: {
        subject: 'Zahlung der Rechnung {{ invoiceNumber }} fehlgeschlagen',
        text: 'Wir konnten {{ amount }} für Rechnung {{ invoiceNumber }} nicht einziehen. Der nächste Versuch ist am {{ nextAttempt }}. Bitte prüfen Sie Ihr Zahlungsmittel.',
        html: '<p>Wir konnten <strong>{{ amount }}</strong> für Rechnung {{ invoiceNumber }} nicht einziehen.</p><p>Der nächste Versuch ist am {{ nextAttempt }}. Bitte prüfen Sie Ihr Zahlungsmittel.</p>',
      },
    },
  },
  {
    templateId: 'invoice-paid',
    category: 'billing',
    version: 1,
    texts: {
      en: {
        subject: 'Invoice {{ invoiceNumber }} is paid',
        text: 'Thank you: {{ amount }} for invoice {{ invoiceNumber }} arrived.',
      },
      de: {
        subject: 'Rechnung {{ invoiceNumber }} ist bezahlt',
        text: 'Vielen Dank: {{ amount }} für Rechnung {{ invoiceNumber }} sind eingegangen.',
      },
    },
  },
  {
    templateId: 'invoice-uncollectible',
    category: 'billing',
    version: 1,
    texts: {
      en: {
        subject: 'Invoice {{ invoiceNumber }} could not be collected',
        text: 'After {{ attempts }} attempts we stop trying to collect {{ amount }} for invoice {{ invoiceNumber }}. Please get in touch with us.',
      },
    },
  },
  {
    templateId: 'campaign-approved',
    category: 'campaigns',
    version: 1,
    texts: {
      en: {
        subject: 'Campaign “{{ campaignName }}” was approved',
        text: '{{ approvedBy }} approved the campaign “{{ campaignName }}”.',
      },
      de: {
        subject: 'Kampagne „{{ campaignName }}“ wurde freigegeben',
        text: '{{ approvedBy }} hat die Kampagne „{{ campaignName }}“ freigegeben.',
      },
    },
  },
  {
    templateId: 'campaign-refused',
    category: 'campaigns',
    version: 1,
    texts: {
      en: {
        subject: 'Campaign “{{ campaignName }}” was not approved',
        text: '{{ refusedBy }} did not approve the campaign “{{ campaignName }}”. {{ reason }}',
      },
      de: {
        subject: 'Kampagne „{{ campaignName }}“ wurde nicht freigegeben',
        text: '{{ refusedBy }} hat die Kampagne „{{ campaignName }}“ nicht freigegeben. {{ reason }}',
      },
    },
  },
  {
    templateId: 'campaign-failed',
    category: 'campaigns',
    version: 1,
    texts: {
      en: {
        subject: 'Campaign “{{ campaignName }}” could not be brought to {{ network }}',
        text: '{{ network }} does not hold the campaign “{{ campaignName }}” as you want it: {{ reason }}',
      },
      de: {
        subject: 'Kampagne „{{ campaignName }}“ ließ sich nicht zu {{ network }} bringen',
        text: '{{ network }} hat die Kampagne „{{ campaignName }}“ nicht so, wie Sie es wünschen: {{ reason }}',
      },
    },
  },
  {
    templateId: 'ad-set-failed',
    category: 'campaigns',
    version: 1,
    texts: {
      en: {
        subject: 'Ad set “{{ name }}” of “{{ campaignName }}” could not be brought to {{ network }}',
        text: '{{ network }} does not hold the ad set “{{ name }}” of the campaign “{{ campaignName }}” as you want it: {{ reason }}',
      },
      de: {
        subject: 'Anzeigengruppe „{{ name }}“ von „{{ campaignName }}“ ließ sich nicht zu {{ network }} bringen',
        text: '{{ network }} hat die Anzeigengruppe „{{ name }}“ der Kampagne „{{ campaignName }}“ nicht so, wie Sie es wünschen: {{ reason }}',
      },
    },
  },
  {
    templateId: 'ad-failed',
    category: 'campaigns',
    version: 1,
    texts: {
      en: {
        subject: 'Ad “{{ name }}” of “{{ campaignName }}” could not be brought to {{ network }}',
        text: '{{ network }} does not hold the ad “{{ name }}” of the campaign “{{ campaignName }}” as you want it: {{ reason }}',
      },
      de: {
        subject: 'Anzeige „{{ name }}“ von „{{ campaignName }}“ ließ sich nicht zu {{ network }} bringen',
        text: '{{ network }} hat die Anzeige „{{ name }}“ der Kampagne „{{ campaignName }}“ nicht so, wie Sie es wünschen: {{ reason }}',
      },
    },
  },
  {
    templateId: 'campaign-budget-spent',
    category: 'campaigns',
    version: 1,
    texts: {
      en: {
        subject: 'Campaign “{{ campaignName }}” has spent its budget of {{ day }}',
        text: 'On {{ network }} the campaign “{{ campaignName }}” has spent its daily budget of {{ budget }} on {{ day }}.',
      },
      de: {
        subject: 'Kampagne „{{ campaignName }}“ hat ihr Budget vom {{ day }} verbraucht',
        text: 'Bei {{ network }} hat die Kampagne „{{ campaignName }}“ am {{ day }} ihr Tagesbudget von {{ budget }} verbraucht.',
      },
    },
  },
  {
    templateId: 'offer-budget-spent',
    category: 'campaigns',
    version: 1,
    texts: {
      en: {
        subject: 'Offer “{{ offerName }}” has ended: its budget is spent',
        text: 'Orders took {{ amount }} from the budget of the offer “{{ offerName }}”, which has ended.',
      },
      de: {
        subject: 'Angebot „{{ offerName }}“ ist beendet: sein Budget ist verbraucht',
        text: 'Bestellungen haben das Budget des Angebots „{{ offerName }}“ mit {{ amount }} verbraucht; es ist beendet.',
      },
    },
  },
  {
    templateId: 'events-given-up',
    category: 'platform',
    version: 1,
    texts: {
      en: {
        subject: '{{ count }} changes could not be processed',
        text: 'In the hour from {{ since }}, {{ count }} changes could not be processed: {{ what }}. They are kept, and our operators see them too.',
      },
      de: {
        subject: '{{ count }} Änderungen ließen sich nicht verarbeiten',
        text: 'In der Stunde ab {{ since }} ließen sich {{ count }} Änderungen nicht verarbeiten: {{ what }}. Sie sind aufbewahrt, und unsere Betreuer sehen sie auch.',
      },
    },
  },
  {
    templateId: 'feed-items-rejected',
    category: 'campaigns',
    version: 1,
    texts: {
      en: {
        subject: '{{ network }} refused {{ count }} products',
        text: '{{ network }} refused {{ count }} products of the feed {{ feedId }}. The list of its items says what is wrong with each.',
      },
      de: {
        subject: '{{ network }} hat {{ count }} Produkte abgelehnt',
        text: '{{ network }} hat {{ count }} Produkte des Feeds {{ feedId }} abgelehnt. Die Liste seiner Artikel sagt, was mit jedem nicht stimmt.',
      },
    },
  },
  {
    templateId: 'maintenance-window',
    category: 'platform',
    version: 1,
    texts: {
      en: {
        subject: 'Maintenance from {{ startsAt }}',
        text: 'From {{ startsAt }} to {{ endsAt }} changes are taken but carried out later. {{ reason }}',
      },
      de: {
        subject: 'Wartung ab {{ startsAt }}',
        text: 'Von {{ startsAt }} bis {{ endsAt }} nehmen wir Änderungen an, führen sie aber erst danach aus. {{ reason }}',
      },
    },
  },
  {
    templateId: 'webhook-endpoint-disabled',
    category: 'integrations',
    version: 1,
    texts: {
      en: {
        subject: 'Webhook endpoint {{ url }} was disabled',
        text: 'The endpoint {{ url }} has failed since {{ failingSince }} and gets no further deliveries: {{ reason }}. Enable it again when it works; what was missed can be recovered.',
      },
    },
  },
  {
    templateId: 'affiliate-flagged',
    category: 'affiliates',
    version: 1,
    texts: {
      en: {
        subject: 'Affiliate {{ affiliateName }} was flagged',
        text: 'Affiliate {{ affiliateName }} was flagged for {{ reason }}. Please have a look before the next payout.',
      },
    },
  },
  {
    templateId: 'digest',
    category: 'platform',
    version: 1,
    texts: {
      en: {
        subject: '{{ count }} notifications',
        text: '{% for item in items %}- {{ item.subject }}\n  {{ item.text }}\n{% endfor %}{% if more > 0 %}… and {{ more }} more.{% endif %}',
        html: '<ul>{% for item in items %}<li><strong>{{ item.subject }}</strong><br>{{ item.text }}</li>{% endfor %}</ul>{% if more > 0 %}<p>… and {{ more }} more.</p>{% endif %}',
      },
      de: {
        subject: '{{ count }} Mitteilungen',
        text: '{% for item in items %}- {{ item.subject }}\n  {{ item.text }}\n{% endfor %}{% if more > 0 %}… und {{ more }} weitere.{% endif %}',
        html: '<ul>{% for item in items %}<li><strong>{{ item.subject }}</strong><br>{{ item.text }}</li>{% endfor %}</ul>{% if more > 0 %}<p>… und {{ more }} weitere.</p>{% endif %}',
      },
    },
  },
];

const byId = new Map(builtinTemplates.map((template) => [template.templateId, template]));

export const builtinTemplate = (templateId: string): BuiltinTemplate | undefined => byId.get(templateId);
