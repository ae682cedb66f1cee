<?php

namespace Fanfare\Laravel\Webhooks;

/** Every event of a webhook: who listens to this hears them all, those included that this package has no class for. */
interface WebhookEvent {}
