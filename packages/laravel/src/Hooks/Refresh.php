<?php

namespace Fanfare\Laravel\Hooks;

/** What a hook or a token said of a client expires: may it stay, and until when (`expires_at`)? */
final class Refresh extends Hook {}
