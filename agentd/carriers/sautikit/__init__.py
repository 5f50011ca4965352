"""Sautikit <Stream>, which is drachtio mod_audio_fork; also jambonz, which speaks the same with marks."""
