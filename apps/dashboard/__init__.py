"""The dashboard: live picture, upload, system and about pages, served by Streamlit."""
