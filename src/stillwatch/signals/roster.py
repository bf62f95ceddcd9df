"""Every signal, in the order in which explanations list them. A new one is one file, one test and one line here."""

from __future__ import annotations

from stillwatch.signals.artefact_replay import artefact_replay
from stillwatch.signals.base import Signal
from stillwatch.signals.camouflage_density import camouflage_density
from stillwatch.signals.capability_concentration import capability_concentration
from stillwatch.signals.circadian_flatness import circadian_flatness
from stillwatch.signals.coverage_slope import coverage_slope
from stillwatch.signals.declared_organisation import declared_organisation
from stillwatch.signals.disposable_identity import disposable_identity
from stillwatch.signals.event_crowd import event_crowd
from stillwatch.signals.failover_handoff import failover_handoff
from stillwatch.signals.harness_repetition import harness_repetition
from stillwatch.signals.harvest_shape import harvest_shape
from stillwatch.signals.hosting_egress import hosting_egress
from stillwatch.signals.joint_onset import joint_onset
from stillwatch.signals.joint_pivot import joint_pivot
from stillwatch.signals.licence import licence
from stillwatch.signals.loose_synchrony import loose_synchrony
from stillwatch.signals.natural_multi_turn import natural_multi_turn
from stillwatch.signals.no_ramp import no_ramp
from stillwatch.signals.one_customer import one_customer
from stillwatch.signals.outside_licence import outside_licence
from stillwatch.signals.pool_partition import pool_partition
from stillwatch.signals.programme_mismatch import programme_mismatch
from stillwatch.signals.registered_template import registered_template
from stillwatch.signals.replacement_after_ban import replacement_after_ban
from stillwatch.signals.reported_by_partners import reported_by_partners
from stillwatch.signals.rubric_elicitation import rubric_elicitation
from stillwatch.signals.scheduler_evenness import scheduler_evenness
from stillwatch.signals.separate_organisations import separate_organisations
from stillwatch.signals.separate_work import separate_work
from stillwatch.signals.shared_address import shared_address
from stillwatch.signals.shared_mail_domain import shared_mail_domain
from stillwatch.signals.shared_payment import shared_payment
from stillwatch.signals.shared_phone import shared_phone
from stillwatch.signals.shared_prefix import shared_prefix
from stillwatch.signals.shared_signup_address import shared_signup_address
from stillwatch.signals.shared_stack import shared_stack
from stillwatch.signals.shared_system_prompt import shared_system_prompt
from stillwatch.signals.signup_burst import signup_burst
from stillwatch.signals.stack_mismatch import stack_mismatch
from stillwatch.signals.subscription_to_usage import subscription_to_usage
from stillwatch.signals.template_co_use import template_co_use
from stillwatch.signals.template_novelty import template_novelty
from stillwatch.signals.trace_elicitation import trace_elicitation
from stillwatch.signals.undeclared_relation import undeclared_relation

ROSTER: tuple[Signal, ...] = (
    # coordination: do these accounts act as one operator?
    artefact_replay,
    shared_address,
    shared_prefix,
    shared_stack,
    camouflage_density,
    shared_payment,
    shared_phone,
    shared_signup_address,
    shared_mail_domain,
    signup_burst,
    replacement_after_ban,
    template_co_use,
    shared_system_prompt,
    pool_partition,
    loose_synchrony,
    scheduler_evenness,
    failover_handoff,
    joint_onset,
    joint_pivot,
    reported_by_partners,
    separate_organisations,
    # extraction: is the traffic shaped to become training data?
    template_novelty,
    coverage_slope,
    capability_concentration,
    trace_elicitation,
    rubric_elicitation,
    harvest_shape,
    no_ramp,
    subscription_to_usage,
    circadian_flatness,
    registered_template,
    harness_repetition,
    natural_multi_turn,
    separate_work,
    # deception: does the operator hide that, or lack the licence for it?
    undeclared_relation,
    disposable_identity,
    stack_mismatch,
    programme_mismatch,
    outside_licence,
    hosting_egress,
    declared_organisation,
    one_customer,
    event_crowd,
    licence,
)
